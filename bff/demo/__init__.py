"""Three servers that play the back offices: to try the cabinet with, and to test it against.

Here belongs what an invented shop needs: its data (`data/`), the offices that serve it over real sockets (`erp`,
`loyalty`, `cms`), what these have in common (`office`, `faults`, `serving`) and how they are started (`launch`).

Each office is a process of its own: ``python -m bff.demo erp --port 8001``. Nothing on the serving road imports this.
"""
