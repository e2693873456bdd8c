"""Ingest files with a progress bar: what `ingest` and `demo` share."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from memgraph.bootstrap import App
from memgraph.cli.common import err
from memgraph.domain.mutations import Totals
from memgraph.services.ingest import formats
from memgraph.services.ingest.formats.records import FormatOptions, Problem, Record
from memgraph.services.ingest.service import Ingestion, Report


def ingest_files(
    app: App,
    files: Iterable[Path],
    *,
    format_: str,
    tenant: str,
    batch: int,
    options: FormatOptions | None = None,
) -> Report:
    """Ingest files one after the other into one report."""
    paths = list(files)
    report = Report()
    with Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(bar_width=20, pulse_style="cyan"),
        TextColumn("{task.fields[said]}"),
        TimeElapsedColumn(),
        console=err,
        transient=True,
    ) as progress:
        for path in paths:
            task = progress.add_task(path.name, total=None, said="reading")

            def show(totals: Totals, task: object = task) -> None:
                progress.update(task, said=_said(totals))  # type: ignore[arg-type]

            ingestion = Ingestion(
                app.pipeline,
                tenant_id=tenant,
                source=path.name,
                batch=batch,
                writers=app.settings.ingest.writers,
                on_progress=show,
            )
            records = formats.read(path, format_, options or FormatOptions())
            _add(report, ingestion.run(_named(path, records, len(paths) > 1)))
            progress.update(task, total=1, completed=1)
    return report


def _named(
    path: Path, records: Iterator[Record | Problem], several: bool
) -> Iterator[Record | Problem]:
    """Positions name the file when there is more than one."""
    for record in records:
        if not several:
            yield record
        elif isinstance(record, Problem):
            yield Problem(f"{path.name}, {record.position}", record.error)
        else:
            yield Record(record.event, record.payload, f"{path.name}, {record.position}")


def _add(report: Report, other: Report) -> None:
    for name in Totals.__slots__:
        setattr(report.totals, name, getattr(report.totals, name) + getattr(other.totals, name))
    for refused in other.refused:
        report.note(refused.position, refused.outcome, refused.reason)


def _said(totals: Totals) -> str:
    return f"{totals.received:,} received, {totals.stored:,} stored"
