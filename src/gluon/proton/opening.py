"""Opens what proton-server and gluon-manage both need: models and database."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from gluon.models import catalog
from gluon.process.run import StartFailed
from gluon.proton.service import check_models
from gluon.proton.storage import Database, DatabaseUnusable, open_database
from gluon.schema import Proton
from gluon.schema.errors import SchemaError


def load_protons(settings: Any) -> dict[str, Proton]:
    """Loads the models that the configuration names.

    Raises:
        StartFailed: names the file and what is wrong with it.
    """
    try:
        protons = catalog.load(settings.api.service_list, [Path(each) for each in settings.api.model_dirs])
        check_models(protons.values())
    except SchemaError as error:
        raise StartFailed(f"model: {error}") from error
    return protons


@asynccontextmanager
async def opened_database(settings: Any, protons: Mapping[str, Proton]) -> AsyncGenerator[Database]:
    """The database of the configuration.

    Raises:
        StartFailed: it can't be used.
    """
    try:
        database = await open_database(settings.database.connection, protons)
    except DatabaseUnusable as error:
        raise StartFailed(str(error)) from error
    try:
        yield database
    finally:
        await database.close()
