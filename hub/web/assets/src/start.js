// GraphiQL with the demo's personas: picks the token, purpose and case that go with each request.
const at = (id) => document.getElementById(id);

const prepared = (first) => ({
  'One person, five agencies': {
    query: `query First($number: String!) {
  person(lookup: { identityNumber: $number }) {
    id
    name
    identityNumber
    justice { releaseDate riskClass sentences { court termMonths } }
    police { householdStatus inCustody }
    socialSecurity { insuredNow lastPaidMonth keyGroupEligible }
    civilAffairs { reliefCases { reliefType validTo } }
    tax { employedThisMonth }
    sources { agency status asOf }
    provenance { field agency asOf }
  }
}`,
    variables: { number: first },
  },
  'People in my jurisdiction': {
    query: `{
  people(first: 10) {
    totalCount
    edges { node { id name sex justice { releaseDate } } }
    pageInfo { hasNextPage endCursor }
  }
}`,
    variables: {},
  },
  'What may I see of this person?': {
    query: `query Access($number: String!) {
  person(lookup: { identityNumber: $number }) { access { coordinate effect code } }
}`,
    variables: { number: first },
  },
  'Where agencies disagree': {
    query: `{
  people(first: 50) { edges { node { name conflicts { coordinate values { agency value chosen } } } } }
}`,
    variables: {},
  },
  'Who am I?': { query: '{ viewer { agency role officer regions purposes expiresAt } }', variables: {} },
});

async function start() {
  const held = await (await fetch('/graphiql/personas')).json();
  const queries = prepared(held.people.in[0] ?? '');
  for (const name of Object.keys(held.personas)) at('persona').add(new Option(name));
  for (const name of Object.keys(queries)) at('prepared').add(new Option(name));
  at('persona').value = 'judicial-office';

  const choose = () => {
    const persona = held.personas[at('persona').value];
    at('purpose').value = persona?.purpose ?? '';
    at('case').value = persona?.case ?? '';
  };
  const fetcher = async (body) => {
    const fresh = (await (await fetch('/graphiql/personas')).json()).personas[at('persona').value];
    const headers = { 'Content-Type': 'application/json', Accept: 'application/graphql-response+json' };
    headers.Authorization = `Bearer ${fresh.token}`;
    if (at('purpose').value) headers['Hub-Purpose'] = at('purpose').value;
    if (at('case').value) headers['Hub-Case'] = at('case').value;
    const { query, variables, operationName } = body;
    const sent = JSON.stringify({ query, variables, operationName });
    return (await fetch('/graphql', { method: 'POST', headers, body: sent })).json();
  };
  const root = ReactDOM.createRoot(at('graphiql'));
  const show = () => {
    const { query, variables } = queries[at('prepared').value];
    root.render(
      React.createElement(GraphiQL, {
        key: at('prepared').value,
        fetcher,
        query,
        variables: JSON.stringify(variables, null, 2),
        shouldPersistHeaders: false,
        isHeadersEditorEnabled: false,
      }),
    );
  };
  at('persona').addEventListener('change', choose);
  at('prepared').addEventListener('change', show);
  choose();
  show();
}

start();
