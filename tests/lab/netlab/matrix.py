"""Every kind of NAT with every other: which path a check finds, and how long it takes."""

import json

from . import peers, services
from .network import Network
from .spec import parse_sites


def run(kinds, json_file=None):
    texts = [f"{side}{i}={kind}" for i, kind in enumerate(kinds) for side in ("left", "right")]
    results = []
    with Network(parse_sites(texts)) as lab:
        _start_turn(lab)
        services.SignalingServer(lab)
        width = max(map(len, kinds)) + 2
        print(" " * width + "".join(f"{kind:<{width}}" for kind in kinds))
        for row, ours in enumerate(kinds):
            print(f"{ours:<{width}}", end="", flush=True)
            for column, theirs in enumerate(kinds):
                if column < row:
                    print(" " * width, end="")
                    continue
                result = peers.check(lab, f"left{row}", f"right{column}")
                results.append({"ours": ours, "theirs": theirs, **result.summary()})
                print(f"{result.words():<{width}}", end="", flush=True)
            print()
    print("\npath and milliseconds from the first offer until data can flow")
    if json_file:
        with open(json_file, "w", encoding="utf-8") as file:
            json.dump(results, file, indent=1)
    return 0 if all(result["status"] == 0 for result in results) else 1


def _start_turn(lab):
    try:
        services.Coturn(lab)
    except FileNotFoundError as reason:
        print(f"without a relay: {reason}")
