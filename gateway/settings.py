"""All settings, read once from the environment and handed down; no other part reads the environment."""

import os
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from gateway.unit import Environment


class Settings(BaseSettings):
    """`GATEWAY_<NAME>` in the environment; `gateway settings` prints each with meaning, default and present value."""

    model_config = SettingsConfigDict(env_prefix="GATEWAY_", frozen=True, extra="ignore")

    home: Annotated[Path, Field(description="Folder of the embedded ledger and the development key.")] = Path(
        ".gateway"
    )
    database_url: Annotated[
        str,
        Field(description="Where the ledger is: sqlite:///... or postgresql://...; empty: SQLite in the home folder."),
    ] = ""
    master_key_file: Annotated[
        Path | None, Field(description="File with the 32-byte master key in base64; mandatory in production.")
    ] = None
    master_key: Annotated[
        SecretStr | None, Field(description="The master key itself in base64, instead of a file.")
    ] = None
    environment: Annotated[
        Environment, Field(description="Which of the authority's worlds this gateway speaks to.")
    ] = Environment.SANDBOX
    authority_url: Annotated[
        str, Field(description="Base URL of the authority; empty: the official one of the environment.")
    ] = ""
    host: Annotated[str, Field(description="Address the API listens on.")] = "127.0.0.1"
    port: Annotated[int, Field(ge=1, le=65535, description="Port the API listens on.")] = 8000
    public_url: Annotated[
        str, Field(description="How buyers and shops reach this gateway; used in links; empty: host and port.")
    ] = ""
    link_days: Annotated[
        int, Field(gt=0, le=3660, description="Days that a link to a document works if nothing else is said.")
    ] = 7
    link_days_most: Annotated[
        int, Field(gt=0, le=3660, description="Most days that a link to a document may be asked for.")
    ] = 366
    max_body: Annotated[int, Field(gt=0, description="Largest request body accepted, in bytes.")] = 1_000_000
    poll_seconds: Annotated[
        float, Field(gt=0, le=86400, description="Seconds between two looks for what changed in a connected shop.")
    ] = 300.0
    authority_timeout: Annotated[float, Field(gt=0, description="Seconds to wait for an answer of the authority.")] = (
        30.0
    )
    submissions_in_flight: Annotated[
        int,
        Field(gt=0, le=200, description="Documents sent to the authority at the same time, of all workers together."),
    ] = 32
    submissions_of_taxpayer: Annotated[
        int, Field(gt=0, le=200, description="Of these, how many may be of one taxpayer.")
    ] = 10
    allow_private_shops: Annotated[
        bool, Field(description="Let shop URLs point to private addresses and plain http; for tests and demos only.")
    ] = False
    chain_after_renewal: Annotated[
        str,
        Field(
            pattern="^(new|continue)$",
            description="After a renewal: a new chain from 1 (new), or the one before goes on (continue).",
        ),
    ] = "new"
    authority_ca: Annotated[
        Path | None,
        Field(description="PEM file with the authority's issuing certificates, to prove lists of revoked ones by."),
    ] = None
    authority_crl: Annotated[
        str, Field(description="Address of the authority's list of revoked certificates, for those that name none.")
    ] = ""
    journal: Annotated[
        Path | None,
        Field(description="File with the head of each chain, best on another disk; empty: heads.journal in the home."),
    ] = None
    archive: Annotated[
        str,
        Field(description="Where final documents are archived: a folder or s3://bucket/prefix; empty: in the home."),
    ] = ""
    archive_endpoint: Annotated[
        str, Field(description="Address of an S3 server that is not Amazon's, such as https://s3.example.sa.")
    ] = ""
    retention_years: Annotated[
        int,
        Field(
            ge=6,
            le=100,
            description="Years after its tax period that a file is kept which is archived now; 6 by law.",
        ),
    ] = 6
    raw_payloads_days: Annotated[
        int,
        Field(ge=0, description="Days that webhooks and orders of finished sales are kept; 0: always. Digests stay."),
    ] = 0
    checkpoints: Annotated[
        Path | None,
        Field(
            description="Folder of the signed checkpoints, best on another machine; empty: checkpoints beside the"
            " head journal."
        ),
    ] = None
    doctor_hour: Annotated[
        int | None,
        Field(ge=0, le=23, description="Hour (Riyadh) after which the books are examined every night; off: never."),
    ] = 3
    judges: Annotated[
        int | None,
        Field(ge=0, le=64, description="Processes that prove documents beside `serve`; empty: one less than cores."),
    ] = None
    orders_at_once: Annotated[
        int, Field(ge=1, le=512, description="Orders that one `serve` works on at the same time; others wait.")
    ] = 64
    log_format: Annotated[str, Field(pattern="^(text|json)$", description="How the log is written.")] = "text"

    @classmethod
    def given(cls, **values: Any) -> Self:
        """Settings of these values and the defaults, whatever the environment says."""
        return cls(_env_prefix="GATEWAY_IGNORED_", **values)

    @field_validator("doctor_hour", mode="before")
    @classmethod
    def _off(cls, value: Any) -> Any:
        return None if value == "off" else value

    @field_validator("home", "master_key_file", "authority_ca", "journal", "checkpoints")
    @classmethod
    def _absolute(cls, value: Path | None) -> Path | None:
        return value.expanduser().absolute() if value else value

    @property
    def buyers_address(self) -> str:
        """Where buyers reach this gateway, as far as that was said; empty where a link would lead them nowhere, or over
        plain http, where everyone on the way could read it."""
        said = self.public_url.rstrip("/")
        usable = said.startswith("https://") or (said != "" and self.allow_private_shops)
        return said if usable else ""

    @property
    def address(self) -> str:
        """Where buyers and shops reach this gateway, without a slash at the end; on this machine if nothing is said."""
        host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(self.host, self.host)  # noqa: S104, it is compared with
        return self.public_url.rstrip("/") or f"http://{host}:{self.port}"

    @property
    def ledger_url(self) -> str:
        """Where the ledger is."""
        return self.database_url or f"sqlite:///{self.home / 'ledger.db'}"

    @property
    def journal_file(self) -> Path:
        """Where the head journal is."""
        return self.journal or self.home / "heads.journal"

    @property
    def checkpoints_folder(self) -> Path:
        """Where the checkpoints are."""
        return self.checkpoints or self.journal_file.parent / "checkpoints"

    @property
    def judges_at_work(self) -> int:
        """How many processes prove documents beside one that serves."""
        return (os.cpu_count() or 1) - 1 if self.judges is None else self.judges

    @property
    def is_embedded(self) -> bool:
        """Whether the ledger is a file, which one machine and one `serve` works on."""
        return self.ledger_url.startswith("sqlite")
