"""Opens what proton-server and gluon-manage both need: models, database and etcd."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager

from gluon.etcd import Client, EtcdError
from gluon.models import catalog
from gluon.process.run import StartFailed
from gluon.proton.service import check_models
from gluon.proton.settings import Settings
from gluon.proton.storage import Database, DatabaseUnusable, open_database
from gluon.schema import Proton
from gluon.schema.errors import SchemaError


def load_protons(settings: Settings) -> dict[str, Proton]:
    """Loads the models that the configuration names.

    Raises:
        StartFailed: names the file and what is wrong with it.
    """
    try:
        protons = catalog.load(settings.api.service_list, settings.api.model_dirs)
        check_models(protons.values())
    except SchemaError as error:
        raise StartFailed(f"model: {error}") from error
    return protons


@asynccontextmanager
async def opened_database(
    settings: Settings, protons: Mapping[str, Proton], *, create: bool
) -> AsyncGenerator[Database]:
    """The database of the configuration.

    Args:
        settings: names it.
        protons: whose tables it has.
        create: make it where there is none.

    Raises:
        StartFailed: it can't be used.
    """
    try:
        database = await open_database(settings.database.connection, protons, create=create)
    except DatabaseUnusable as error:
        raise StartFailed(str(error)) from error
    try:
        yield database
    finally:
        await database.close()


@asynccontextmanager
async def opened_etcd(settings: Settings) -> AsyncGenerator[Client]:
    """A client of the configuration's etcd, whether that runs or not.

    Raises:
        StartFailed: an option can't be used.
    """
    async with AsyncExitStack() as stack:
        try:
            client = await stack.enter_async_context(Client(settings.etcd))
        except EtcdError as error:
            raise StartFailed(f"[api] etcd options: {error}") from error
        yield client
