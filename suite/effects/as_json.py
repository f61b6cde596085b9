"""A study of effects as JSON: ratios or differences, in base units."""

from __future__ import annotations

import json
import math
from typing import Any

from suite.effects import wording
from suite.effects.contrasts import Effect, Interaction
from suite.effects.separation import Separation
from suite.effects.sizes import Size
from suite.effects.study import Study
from suite.effects.values import MetricKind


def as_json(study: Study) -> str:
    """One object; numbers at full precision, and null where nothing is known."""
    values = study.values
    facts = {
        "run_id": study.run_id,
        "metric": values.metric.name,
        "unit": values.metric.unit,
        "better": values.metric.better,
        "source": values.source,
        "scale": "ratio" if values.metric.is_ratio else "difference",
        "cases": len(values.found),
        "not_measured": study.not_measured,
        "left_out": [{"id": case_id, "reason": reason} for case_id, reason in values.left_out],
        "effects": [effect_facts(values.metric, one) for one in study.effects],
        "unknown": [{"dimension": name, "level": level} for name, level in study.unknown],
        "interactions": [interaction_facts(values.metric, one) for one in study.interactions],
        "variance": variance_facts(study.separation),
        "predictions": prediction_facts(study),
    }
    return json.dumps(facts, indent=2, allow_nan=False)


def size_facts(metric: MetricKind, size: Size | None) -> dict[str, float | None] | None:
    """A size as `ratio` or `difference`, with `low` and `high` on the same scale."""
    if size is None:
        return None
    name = "ratio" if metric.is_ratio else "difference"
    return {name: scaled(metric, size.middle), "low": scaled(metric, size.low), "high": scaled(metric, size.high)}


def scaled(metric: MetricKind, response: float | None) -> float | None:
    """A difference of responses on its scale; null if it is too large for a number."""
    if response is None or response > math.log(1e300):
        return None
    return math.exp(response) if metric.is_ratio else response


def effect_facts(metric: MetricKind, effect: Effect) -> dict[str, Any]:
    """An effect with its pairs."""
    return {
        "dimension": effect.dimension,
        "level": effect.level,
        "against": effect.against,
        **(size_facts(metric, effect.size) or {}),
        "method": "pairs" if effect.is_matched else "additive model",
        "cases": effect.cases,
        "networks": effect.networks_count,
        "networks_to_come": size_facts(metric, effect.networks),
        "pairs": [
            {"ids": list(pair.ids), "against_ids": list(pair.against_ids), **(size_facts(metric, pair.size) or {})}
            for pair in effect.pairs
        ],
    }


def interaction_facts(metric: MetricKind, one: Interaction) -> dict[str, Any]:
    """An interaction with its levels in the order of its dimensions."""
    return {
        "dimensions": list(one.dimensions),
        "levels": list(one.levels),
        "against": list(one.against),
        **(size_facts(metric, one.size) or {}),
        "contexts": one.contexts,
    }


def variance_facts(separated: Separation | None) -> dict[str, Any] | None:
    """Shares of variance, and the terms that cannot be separated."""
    if separated is None:
        return None
    return {
        "sums_of_squares": "type II",
        "columns_too_many": separated.too_wide or None,
        "terms": [
            {
                "term": list(one.term),
                "share": one.share,
                "degrees": one.degrees,
                "own_degrees": one.own_degrees,
                "aliases": [list(alias) for alias in one.aliases],
            }
            for one in separated.shares
        ],
        "rest": separated.rest if separated.shares else None,
        "noise": separated.noise,
    }


def prediction_facts(study: Study) -> dict[str, Any]:
    """Predicted cases, each marked as such."""
    metric, found = study.values.metric, study.predictions
    return {
        "terms": [list(term) for term in found.terms],
        "held": found.held,
        "checked": found.checked,
        "not_shown_to_run": found.unknown,
        "undetermined": found.undetermined,
        "reason": found.reason,
        "cases": [
            {
                "id": one.id,
                "predicted": True,
                "value": wording.in_unit(metric, one.size.middle),
                "low": wording.in_unit(metric, one.size.low),
                "high": wording.in_unit(metric, one.size.high),
            }
            for one in found.found
        ],
    }
