"""The tax authority as seen from here: its six calls, its certificates, and what its answers mean.

It knows nothing of the ledger, of keys or of retries: it sends bytes and returns a Verdict or Credentials.
"""

from gateway.authority.client import BASE_URLS, Authority, Dispatch, Submission
from gateway.authority.onboarding import Credentials
from gateway.authority.outcomes import Endpoint, verdict_of

__all__ = ["BASE_URLS", "Authority", "Credentials", "Dispatch", "Endpoint", "Submission", "verdict_of"]
