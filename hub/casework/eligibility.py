"""What a subsidy needs: twelve continuous months of work, as the events of the case say. Pure."""

from datetime import date

from hub.casework.calendar import add_months
from hub.casework.workflow import Course, Flag

MONTHS = 12


def subsidy_refusal(course: Course, today: date) -> str | None:
    """Why no subsidy can be granted; None if it can. Once a spell of work.

    Source: domain notes 1.3 and S18: an employer gets it for a person employed for at least 12 continuous months.
    """
    began: date | None = None
    granted = False
    for step in course.steps:
        if Flag.AFTER_END in step.flags:
            continue
        event = step.event
        if event.kind == "EMPLOYED" and began is None:
            began, granted = date.fromisoformat(event.data["from"]), False
        elif event.kind == "EMPLOYMENT_ENDED":
            began = None
        elif event.kind == "SUBSIDY_GRANTED":
            granted = True
    if began is None:
        return "The person is not employed."
    if granted:
        return "The subsidy for this employment was granted before."
    return None if add_months(began, MONTHS) <= today else f"Not yet {MONTHS} continuous months."
