"""What the layers give together: the account of factors, and the joined run's ablation.

Everything is read from the committed records: the factors from those of their
notebooks, the ablation from that of notebook 90. Nothing is timed, `--quick` or not.
"""

from pathlib import Path
from typing import Any

from benchmarks.measurement import parse_arguments, report
from cocodesign.codesign import Product, factors_of, multiply
from cocodesign.project import find_project
from cocodesign.results import find_records, newest_record

_NOTEBOOK = "90_codesign_pipeline"
_PROFILE = "laptop"


def main() -> None:
    """Print the account and the ablation as JSON."""
    arguments = parse_arguments(__doc__)
    folder = find_project(Path(__file__).parent).committed_records
    records = [record for _, record in find_records(folder)]
    account, missing = factors_of(records, _PROFILE)
    measured = multiply(account.chosen(["training"]))
    joined = multiply(account.chosen(["training"], ["measured", "simulated"]))
    run = newest_record(records, notebook=_NOTEBOOK, profile=_PROFILE)
    report(
        {
            "quick": bool(arguments.quick),
            "product": measured.value,
            "product_low": measured.low,
            "product_high": measured.high,
            "unrepeated": measured.unrepeated,
            "with_simulated": _product(joined),
            "factors": [
                {
                    "name": each.name,
                    "chain": each.chain,
                    "value": each.value,
                    "values": each.values,
                    "evidence": each.evidence,
                    "is_bound": each.is_bound,
                    "scale": each.scale,
                    "source": each.source,
                }
                for each in account.factors
            ],
            "missing": missing,
            "ablations": run and run.tables["runs"],
        },
        json_path=arguments.json,
    )


def _product(product: Product) -> dict[str, Any]:
    return {"value": product.value, "low": product.low, "high": product.high}


if __name__ == "__main__":
    main()
