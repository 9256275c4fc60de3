"""Appointments, none sold twice."""
