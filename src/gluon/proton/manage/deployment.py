"""Every command says so when database and etcd are not in step."""

from __future__ import annotations

from gluon.etcd import Client, EtcdError
from gluon.process.run import StartFailed
from gluon.proton.manage.saying import say
from gluon.proton.opening import load_protons, opened_database
from gluon.proton.publish import Action, check_deployment
from gluon.proton.settings import Settings
from gluon.proton.storage import DatabaseUnavailable


async def warn_if_out_of_step(settings: Settings, client: Client) -> None:
    """Says why database and etcd don't belong together, or that it can't be told; the command goes on.

    Raises:
        StartFailed: etcd can't be read.
    """
    try:
        async with opened_database(settings, load_protons(settings), create=False) as database:
            verdict, _ = await check_deployment(database, client)
    except (StartFailed, DatabaseUnavailable) as error:
        say(f"note: whether database and etcd are in step can't be told: {error}")
    except EtcdError as error:
        raise StartFailed(str(error)) from error
    else:
        if verdict.action is not Action.PUBLISH:
            say(f"note: database and etcd are not in step: {verdict.sentence}")
