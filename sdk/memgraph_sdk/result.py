"""What every answer shares."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, PrivateAttr


class Result(BaseModel):
    """An answer. Fields that a newer service adds are kept, as attributes of their names."""

    model_config = ConfigDict(extra="allow", frozen=True, protected_namespaces=())

    _etag: str | None = PrivateAttr(None)

    @property
    def etag(self) -> str | None:
        """Names this state of what was read; `if_match` takes it."""
        return self._etag

    def _tagged(self, etag: str | None) -> None:
        self._etag = etag
