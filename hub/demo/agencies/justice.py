"""The simulated justice system: `python -m hub.demo.agencies.justice --dir DIR`."""

from hub.demo.agencies.justice_rows import CODE_TABLE, INTEGERS, TABLES, rows
from hub.demo.agencies.sql_system import run_sql_system

if __name__ == "__main__":
    run_sql_system(
        "justice",
        main="ZF_JBXX",
        key="ZFBH",
        number="SFZH",
        tables=TABLES,
        integers=INTEGERS,
        rows=rows,
        lists=CODE_TABLE,
    )
