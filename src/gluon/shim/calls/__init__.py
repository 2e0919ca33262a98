"""One callback of a backend, and whatever a class that somebody else wrote may do meanwhile.

    calling         as a coroutine or in a thread, with a timeout; the answer checked
    threads         a plain `def`, in a thread of its own
    blocking        an `async def` that keeps the event loop for itself, noticed and named
    binding_check   whether an answer can go to Nova
    foreign         texts that come from a backend, made fit for logs and JSON

Belongs here: distrust of foreign code.  Does not belong here: when a callback is made (`reconcile`), which (`plan`).
"""
