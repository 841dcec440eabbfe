"""Which bundle runs, and what happens when it does not: the ladder from the installed one down to stiffness.

1. The bundle that the setting `bundle` names; if it is wrong, the appliance says so and does not start.
2. The installed bundle, once it has passed its self-test on this machine.
3. The bundle that was installed before, likewise; the store is switched back, and the event published.
4. Nothing but the stiffness, if neither works. Another maker's bundle never takes a site's place.

The demonstration bundle runs where none was ever installed.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from firmware_app.bundle_store import CURRENT, current_of, previous_of, rollback
from firmware_app.config import Config, InferenceConfig
from firmware_app.errors import BundleError, EngineError, KeyFileError
from firmware_app.inference import Bundle, ChosenEngine, choose_engine, load_bundle
from firmware_app.inference.familiarity import Familiarity, read_familiarity
from firmware_app.inference.golden import self_test
from firmware_app.inference.signature import TrustedKey, trusted_keys
from firmware_app.ward.messages import BundleEvent

LOG = logging.getLogger(__name__)
DEMONSTRATION_BUNDLE = Path(__file__).parent / "bundles" / "demo"
"""The bundle that ships with the product, trained on virtual patients."""
_UNUSABLE = (BundleError, KeyFileError, EngineError, OSError)


@dataclass(frozen=True, slots=True)
class Model:
    """A bundle and what runs it.

    Attributes:
        bundle: checked.
        engine: open.
        familiarity: tells pictures that the networks cannot know; None: the bundle brings no such check.
        largest_difference: |dp| in the self-test; None: it was not asked for.
    """

    bundle: Bundle
    engine: ChosenEngine
    familiarity: Familiarity | None
    largest_difference: float | None = None


@dataclass(frozen=True, slots=True)
class Opened:
    """What the ladder came to.

    Attributes:
        model: None: stiffness only.
        event: what is worth telling the ward; None: all is as it should be.
    """

    model: Model | None
    event: BundleEvent | None = None


def load_model(
    folder: Path | None,
    inference: InferenceConfig | None = None,
    keys: Sequence[TrustedKey] | None = None,
    *,
    tested: bool = False,
) -> Model:
    """Check a bundle (None: the demonstration bundle) and open the best engine for it.

    Args:
        folder: of the bundle.
        inference: how to run it.
        keys: who is trusted; None: the demonstration's key and the site's.
        tested: whether it must pass its self-test.

    Raises:
        BundleError: the bundle is missing, altered, not meant for this software or fails its self-test.
        KeyFileError: a trusted key cannot be read.
        EngineError: the runtime failed.
    """
    bundle = load_bundle(folder or DEMONSTRATION_BUNDLE, keys)
    familiarity = read_familiarity(bundle)
    wanted = inference or InferenceConfig()
    engine = choose_engine(bundle, wanted.threads, wanted.engines, shadow=wanted.shadow).engine
    try:
        return Model(bundle, engine, familiarity, _tested(bundle, engine) if tested else None)
    except (BundleError, EngineError):
        engine.close()
        raise


def _tested(bundle: Bundle, engine: ChosenEngine) -> float:
    """The self-test; an engine of the GPU that answers wrongly is given up before the bundle is blamed."""
    try:
        return self_test(bundle, engine)
    except BundleError as error:
        if not engine.distrust(error):
            raise
        return self_test(bundle, engine)


def open_model(config: Config, *, may_switch: bool = True) -> Opened:
    """The best bundle that works here.

    Args:
        config: which bundle, which keys, and how to run it.
        may_switch: whether the store is switched back when the bundle before must run.

    Raises:
        BundleError: the bundle that the setting `bundle` names is not sound or fails its self-test.
        KeyFileError: that bundle cannot be checked, as a trusted key cannot be read.
        EngineError: no runtime can run it.
    """
    if config.bundle is not None:
        keys = trusted_keys(config.bundle_keys)
        return Opened(load_model(config.bundle, config.inference, keys, tested=True))
    try:
        chosen = current_of(config.bundle_store)
        if chosen is None and previous_of(config.bundle_store) is not None:
            failed = config.bundle_store / CURRENT
            return _one_back(config, failed, f"{failed} is missing", may_switch=may_switch)
        chosen = chosen or DEMONSTRATION_BUNDLE
    except OSError as error:
        detail = f"{config.bundle_store} cannot be read: {error.strerror}"
        return Opened(None, BundleEvent(event="no_bundle", bundle_id=CURRENT, detail=detail))
    try:
        keys = trusted_keys(config.bundle_keys)
        return Opened(load_model(chosen, config.inference, keys, tested=True))
    except _UNUSABLE as error:
        LOG.error("%s cannot be used: %s", chosen.name, error)  # noqa: TRY400 - the sentence says it all
        failure = str(error)
    return _one_back(config, chosen, failure, may_switch=may_switch)


def _one_back(config: Config, failed: Path, failure: str, *, may_switch: bool) -> Opened:
    """The bundle before the one that failed, or stiffness only."""
    previous = previous_of(config.bundle_store)
    if previous is None or failed in {previous, DEMONSTRATION_BUNDLE}:
        return Opened(None, BundleEvent(event="no_bundle", bundle_id=failed.name, detail=failure))
    try:
        keys = trusted_keys(config.bundle_keys)
        model = load_model(previous, config.inference, keys, tested=True)
    except _UNUSABLE as error:
        LOG.error("%s cannot be used either: %s", previous.name, error)  # noqa: TRY400 - as above
        detail = f"{failure}; {error}"
        return Opened(None, BundleEvent(event="no_bundle", bundle_id=failed.name, detail=detail))
    if may_switch:
        try:
            rollback(config.bundle_store, keys)
        except (BundleError, OSError) as error:
            # It runs all the same; at the next start the ladder is climbed down again.
            LOG.warning("the store could not be switched back: %s", error)
    LOG.warning("the bundle before runs: %s", previous.name)
    return Opened(model, BundleEvent(event="rolled_back", bundle_id=failed.name, detail=failure))
