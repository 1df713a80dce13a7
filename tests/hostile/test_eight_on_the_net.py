"""Eight nodes that the real backend finds by itself, seven of them hostile, on real sockets."""

import random
import sys
import time
from pathlib import Path
from typing import Final

import pytest

from tests.functional.p2p_wallet import Client, ScriptWallet, run, running_with
from tests.hostile.fake_chain import FakeChain
from tests.hostile.fake_internet import (
    FILTERS,
    Internet,
    Neighbour,
    host,
    internet,
    links,
)
from tests.hostile.test_conflicts import (
    Lie,
    adds,
    claims_without_filters,
    invents_headers,
    is_silent,
    mangles,
    mutates_blocks,
    omits,
    withholds_blocks,
)
from wallet_gui.chain.p2p.links import Role

BTC = 10**8
WITHIN: Final = 40.0  # seconds; who is let go is dialled again after ten

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="only Linux has all of 127.0.0.0/8 without being asked"
)

LIES: list[Lie] = [
    omits,
    adds,
    mangles,
    claims_without_filters,
    invents_headers,
    is_silent,
    withholds_blocks,
    mutates_blocks,
]


@pytest.mark.parametrize("seed", range(8))
def test_seven_hostile_of_eight_on_the_net(tmp_path: Path, seed: int) -> None:
    """Whatever connection the one honest node is had for first, it is read from soon."""
    rng = random.Random(seed)
    wallet = ScriptWallet()
    chain = FakeChain()
    for index in range(3):
        chain.mine_empty(9)
        chain.mine(to=wallet.script(index))
    groups = list(range(1, 9))
    rng.shuffle(groups)

    async def scenario() -> None:
        async with internet(chain) as net:
            for number, group in enumerate(groups):
                node = Neighbour(chain, FILTERS, nonce=5000 + group)
                if number:
                    lying = rng.choice(LIES)(rng, chain)
                    node.chain, node.rewrite = lying.chain, lying.rewrite
                    node.filters_are_silent = lying.filters_are_silent
                await net.add(host(group), node)
            named = [host(group) for group in groups]
            rng.shuffle(named)
            net.seeds["seed.test"] = named[:3]
            net.seeds["other.test"] = named[3:5]
            net.seeds["third.test"] = named[5:]
            for node in net.nodes.values():
                node.tells = net.tell(net.nodes, FILTERS, int(time.time()))
            async with running_with(tmp_path, net.setup(), wallet) as client:
                await client.until(lambda: wallet.balance == 150 * BTC, WITHIN)
                await client.until(lambda: is_read_from(client, net, host(groups[0])), WITHIN)

    run(scenario)


def is_read_from(client: Client, net: Internet, where: str) -> bool:
    return net.address(where) in [link.address for link in links(client, Role.FILTER)]
