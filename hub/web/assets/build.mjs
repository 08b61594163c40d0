// Copies the pieces of GraphiQL and of the console that npm brought into built/, which hub serves itself; nothing loads from elsewhere.
import { cpSync, mkdirSync, rmSync } from 'node:fs';

const files = {
  'node_modules/react/umd/react.production.min.js': 'react.js',
  'node_modules/react-dom/umd/react-dom.production.min.js': 'react-dom.js',
  'node_modules/graphiql/graphiql.min.js': 'graphiql.js',
  'node_modules/graphiql/graphiql.min.css': 'graphiql.css',
  'node_modules/htmx.org/dist/htmx.min.js': 'htmx.js',
  'node_modules/echarts/dist/echarts.min.js': 'echarts.js',
  'src/index.html': 'index.html',
  'src/start.js': 'start.js',
  'src/page.css': 'page.css',
};
rmSync('built', { recursive: true, force: true });
mkdirSync('built', { recursive: true });
for (const [from, to] of Object.entries(files)) cpSync(from, `built/${to}`);
