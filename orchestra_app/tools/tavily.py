"""Searches the web through Tavily."""

from typing import Any

import httpx
from tavily import AsyncTavilyClient
from tavily.errors import BadRequestError, ForbiddenError, InvalidAPIKeyError, UsageLimitExceededError
from tavily.errors import TimeoutError as TavilyTimeoutError

from orchestra_app.backends.reading import clean
from orchestra_app.core.errors import ConfigError, ToolError
from orchestra_app.core.message import Document
from orchestra_app.tools.search import Refused

LONGEST_WAIT = 60.0
"""Seconds after which a search is given up."""
MOST_RESULTS = 20
"""Results of one search at most, as Tavily allows."""
LONGEST_QUERY = 400
"""Characters of a query at most, as Tavily allows."""


class TavilySearch:
    """The web as a search source; `aclose` it when it is done with."""

    def __init__(self, source: str, key: str, *, url: str | None = None):
        """Take the source's name, the API key and, for tests, another server."""
        if not key:
            raise ConfigError("Web search needs a key; set TAVILY_API_KEY or leave the source out.")
        self.source = source
        self._client = AsyncTavilyClient(api_key=key, api_base_url=url)

    async def search(self, query: str, top: int, *, seconds: float | None = None) -> list[Document]:
        """Return at most `top` pages, the best first.

        Raises Refused where Tavily turned the search down, ToolError where it gave no usable reply.
        """
        wait = LONGEST_WAIT if seconds is None else min(seconds, LONGEST_WAIT)
        try:
            found = await self._client.search(
                query[:LONGEST_QUERY], max_results=min(top, MOST_RESULTS), timeout=wait
            )
        except InvalidAPIKeyError:
            raise Refused("Tavily does not accept the API key; check TAVILY_API_KEY.") from None
        except (UsageLimitExceededError, ForbiddenError):
            raise Refused("Tavily's limit for this key is reached; search later or elsewhere.") from None
        except BadRequestError:
            raise Refused("Tavily does not accept this query; word it differently.") from None
        except TavilyTimeoutError:
            raise ToolError(f"Web search gave no reply within {wait:.0f} s; try again.") from None
        except httpx.ConnectError:
            raise Refused("Web search cannot be reached; check the network.") from None
        except httpx.HTTPStatusError as error:
            status = error.response.status_code
            raise ToolError(f"Web search failed with status {status}; try again later.") from None
        except (httpx.HTTPError, ValueError, TypeError, AttributeError):
            # The client trips over bodies that are not what it expects.
            raise ToolError("Web search gave a reply that cannot be read; try again.") from None
        return self._documents(found)[:top]

    def _documents(self, found: Any) -> list[Document]:
        results = found.get("results") if isinstance(found, dict) else None
        if not isinstance(results, list):
            raise ToolError("Web search gave a reply that cannot be read; try again.")
        pages = [page for page in results if isinstance(page, dict)]
        return [
            Document(
                text=clean(str(page["content"])).strip(),
                title=clean(str(page.get("title") or "")),
                source=self.source,
                url=clean(str(page.get("url") or "")),
            )
            for page in pages
            if str(page.get("content") or "").strip()
        ]

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.close()
