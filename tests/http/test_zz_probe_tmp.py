import time, gc
from concurrent.futures import ThreadPoolExecutor
from tests.http.conftest import *
from tests.http.front import *
from bff.sources.sharing import Slots
from bff.sources.breaker import Breaker
def test_x(hurried, offices):
    for office in offices: office.faults(fail="hang")
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda number: hurried.ask(customer=f"c-{number}"), range(1100, 1120)))
    for office in offices: office.faults()
    for i in range(14):
        t=time.time(); a=hurried.ask()
        print(i, round(time.time()-t,2), [(e['path'][1], e['extensions']['code']) for e in a.get('errors',())], flush=True)
        if 'errors' not in a: break
        time.sleep(.3)
    for s in gc.get_objects():
        if isinstance(s, Slots) and s._lanes and s.back_office in('erp','loyalty'):
            print('SL', s.back_office, s.calls, s.free, s.waiting, s.under_way, [(l._ask.name, list(l.waiting), list(l._groups), list(l._under_way)) for l in s._lanes], flush=True)
            for l in s._lanes: print('BR', l._ask.name, l._ask._guard.seconds, {k:getattr(l._ask._guard.breaker,k,None) for k in l._ask._guard.breaker.__slots__})
    assert 0
