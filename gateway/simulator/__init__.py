"""A stand-in for the tax authority, for demos and tests. It is NOT the authority, and nothing it accepts is legal.

It speaks the authority's API over real HTTP, with certificates of its own making that are new at every start and
state that is lost at every stop, so that nobody can mistake it for the real thing. It reads and judges documents with
code of its own: it shares none with the rooms that make them, so that both cannot be wrong in the same way.
Where the published API leaves a choice, it takes the one that forces a client to be correct.
"""

from gateway.simulator.catalogue import CATALOGUE, SURVIVABLE, named
from gateway.simulator.faults import Fault, Faults
from gateway.simulator.server import Place, Running, Simulator, create, serve
from gateway.simulator.state import World
from gateway.simulator.strict import Strict

__all__ = [
    "CATALOGUE",
    "SURVIVABLE",
    "Fault",
    "Faults",
    "Place",
    "Running",
    "Simulator",
    "Strict",
    "World",
    "create",
    "named",
    "serve",
]
