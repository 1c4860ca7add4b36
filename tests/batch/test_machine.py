"""The tables of states: total, and each refusal in words."""

from itertools import product

import pytest

from gateway.batch.machine import (
    BATCH,
    BY_PEOPLE,
    FINAL,
    OPEN,
    RECIPIENT,
    Action,
    BatchStatus,
    RecipientState,
    Step,
    allowed,
    change,
    read_action,
    step,
)
from gateway.store.engine.errors import InvalidInput


@pytest.mark.parametrize(("status", "action"), list(product(BatchStatus, Action)))
def test_every_action_in_every_state_has_an_answer(status: BatchStatus, action: Action) -> None:
    """A new status, or a sentence that names the state and what was asked."""
    if (status, action) in BATCH:
        assert change(status, action) is BATCH[status, action]
        assert status not in FINAL
        return
    with pytest.raises(InvalidInput) as refused:
        change(status, action)
    assert str(refused.value).startswith("Batch call cannot be ")
    assert status.value.split("_")[0] in str(refused.value)
    assert refused.value.field == "action"


DONE_ALREADY = {
    (BatchStatus.PAUSED, Action.PAUSE),
    (BatchStatus.RUNNING, Action.START),
    (BatchStatus.RUNNING, Action.RESUME),
}
REFUSED = [
    pair
    for pair in product((status for status in BatchStatus if status not in FINAL), BY_PEOPLE)
    if pair not in BATCH and pair not in DONE_ALREADY
]


@pytest.mark.parametrize(("status", "action"), REFUSED)
def test_refusals_say_what_can_be_done_instead(status: BatchStatus, action: Action) -> None:
    """While a batch lives, whoever may not do one thing learns of another."""
    with pytest.raises(InvalidInput, match=r"\. \w.*\.$"):
        change(status, action)


def test_texts() -> None:
    """As people and programs see them."""
    for status, action, text in (
        (BatchStatus.COMPLETED, Action.PAUSE, "Batch call cannot be paused: it is completed."),
        (BatchStatus.PAUSED, Action.PAUSE, "Batch call cannot be paused: it is paused."),
        (
            BatchStatus.CANCELLED,
            Action.RESUME,
            "Batch call cannot be resumed: it is cancelled, which is permanent. Make a new one.",
        ),
        (
            BatchStatus.RUNNING,
            Action.DELETE,
            "Batch call cannot be deleted: it is running. Only drafts can be deleted; cancel it.",
        ),
    ):
        with pytest.raises(InvalidInput) as refused:
            change(status, action)
        assert str(refused.value) == text


def test_every_state_is_reached_and_left() -> None:
    """From the draft each status can come about, and the final ones are left by nothing."""
    reached, seen = {BatchStatus.DRAFT, change(BatchStatus.DRAFT, Action.START, later=True)}, 0
    while seen != len(reached):
        seen = len(reached)
        reached |= {after for (before, _), after in BATCH.items() if before in reached}
    assert reached == set(BatchStatus)
    assert {before for before, _ in BATCH} == set(BatchStatus) - FINAL


def test_a_start_that_is_still_to_come() -> None:
    """Starting and resuming lead to the schedule then, and nothing else does."""
    assert change(BatchStatus.DRAFT, Action.START, later=True) is BatchStatus.SCHEDULED
    assert change(BatchStatus.PAUSED, Action.RESUME, later=True) is BatchStatus.SCHEDULED
    assert change(BatchStatus.RUNNING, Action.PAUSE, later=True) is BatchStatus.PAUSED


def test_what_people_may_do() -> None:
    """The buttons of a page."""
    assert allowed(BatchStatus.DRAFT) == (Action.START, Action.DELETE)
    assert allowed(BatchStatus.RUNNING) == (Action.PAUSE, Action.CANCEL)
    assert allowed(BatchStatus.PAUSED) == (Action.RESUME, Action.CANCEL)
    assert all(allowed(status) == () for status in FINAL)


@pytest.mark.parametrize("written", ["start", "delete", "Pause", "", None, 3, "due", "x" * 10_000])
def test_actions_of_the_api(written: object) -> None:
    """Three, and the reference's sentence for all others."""
    assert [read_action(name) for name in ("pause", "resume", "cancel")] == [
        Action.PAUSE,
        Action.RESUME,
        Action.CANCEL,
    ]
    with pytest.raises(InvalidInput) as refused:
        read_action(written)
    assert str(refused.value) == "Invalid action. Must be one of: pause, resume, cancel"


@pytest.mark.parametrize(("state", "what"), list(product(RecipientState, Step)))
def test_every_step_of_a_row_has_an_answer(state: RecipientState, what: Step) -> None:
    """Where it leads, or nothing: what comes too late changes nothing."""
    after = step(state, what)
    assert after is RECIPIENT.get((state, what))
    assert after is not state
    final = {RecipientState.DONE, RecipientState.FAILED, RecipientState.CANCELLED, RecipientState.EXPIRED}
    assert state not in final or after is None


def test_a_dialled_row_is_never_dialled_again_by_itself() -> None:
    """Once its INVITE may have left, a row goes back to the queue by a retry, or by somebody's word."""
    back = {what for (state, what), after in RECIPIENT.items() if after is RecipientState.QUEUED}
    assert back == {Step.PUT_BACK, Step.LAPSE, Step.RETRY, Step.DIAL_AGAIN}
    assert step(RecipientState.DIALLING, Step.LAPSE) is None
    assert step(RecipientState.DIALLING, Step.PUT_BACK) is None
    assert step(RecipientState.DIALLING, Step.CANCEL) is None
    assert {state for (state, _) in RECIPIENT} == OPEN | {RecipientState.UNCERTAIN}
