"""What is wrong with an upload, or with its rows, as answers."""

from collections.abc import Iterator
from contextlib import contextmanager

from gateway.api.refusal import Answer, Declined, Problem
from gateway.api.shapes.batch_report import refused_rows, why_refused
from gateway.batch.answers import DestinationNotEnabled, NobodyToCall, RowsFailed
from gateway.batch.files.multipart import BadForm
from gateway.batch.files.upload import UnreadableFile
from gateway.routing.decision import Reason
from gateway.routing.destination import NOT_ENABLED
from gateway.tell import Tell

FORM_STATUSES = {"wrong_type": 415, "too_large": 413, "busy": 503}
FORM_REASONS = {"wrong_type": "unsupported_media_type", "too_large": "too_large", "busy": "too_many_uploads"}
"What a form is refused with; 400 as an invalid request for all that is not named."
BUSY_SECONDS, ROOM_SECONDS = 2.0, 60.0
OF_FIELD = {"no_such_sheet": "sheet", "separator": "separator", "encoding": "encoding"} | {
    "no_such_column": "phone_column",
    "two_phone_columns": "phone_column",
}
"The field of the form that an unreadable file is the fault of; else the file's own."


@contextmanager
def uploads_refused(tell: Tell) -> Iterator[None]:
    """Within it, what is wrong with a form, its file or the file's rows is raised as an answer.

    So is a disk that does not keep the file, which the operator is told of.
    """
    try:
        yield
    except BadForm as error:
        raise _of_form(error) from None
    except UnreadableFile as error:
        raise _of_file(error) from None
    except RowsFailed as error:
        raise _of_rows(error) from None
    except OSError as error:
        tell("upload.failed", level="error", error=str(error))
        message = "The gateway cannot keep the file now; try again later"
        raise Declined(Answer(503, message, "no_room", retry_after=ROOM_SECONDS)) from None


def _of_form(error: BadForm) -> Declined:
    problems = [Problem(error.name, None, error.expected)] if error.name else []
    message = "" if error.name else f"T{str(error)[1:]}"
    status, reason = FORM_STATUSES.get(error.code, 400), FORM_REASONS.get(error.code, "invalid_request")
    later = BUSY_SECONDS if error.code == "busy" else None
    return Declined(Answer(status, message, reason, problems=problems, retry_after=later))


def _of_file(error: UnreadableFile) -> Declined:
    status = 413 if error.code == "too_large" else 400
    problem = Problem(OF_FIELD.get(error.code, "file"), None, error.message)
    return Declined(Answer(status, error.message, error.code, problems=[problem]))


def _of_rows(error: RowsFailed) -> Declined:
    report = error.report
    more = refused_rows(report)
    match error:
        case DestinationNotEnabled():
            reason = Reason.COUNTRY_NOT_ENABLED
            return Declined(Answer(403, NOT_ENABLED, reason.value, more=more))
        case NobodyToCall():
            where = "CSV" if report.encoding else "the sheet"
            return Declined(
                Answer(400, f"No valid phone numbers found in {where}", "no_valid_rows", more=more)
            )
        case _:
            return Declined(Answer(400, why_refused(report), "rows_failed", more=more))
