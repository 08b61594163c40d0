"""The simulated police system: `python -m hub.demo.agencies.police --dir DIR`."""

from hub.demo.agencies.police_rows import INTEGERS, TABLES, rows
from hub.demo.agencies.sql_system import run_sql_system

if __name__ == "__main__":
    run_sql_system("police", main="rk_ryxx", key="rybh", number="gmsfhm", tables=TABLES, integers=INTEGERS, rows=rows)
