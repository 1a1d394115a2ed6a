"""The study of notebook 40: events found by words, by examples, and by both."""

from cocodesign.events_study.study import StampStudy, study_stamps

__all__ = ["StampStudy", "study_stamps"]
