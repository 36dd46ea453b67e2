"""Tracking with MLflow: trial runs, study runs, logged models, the saved chart views, and the local server.

Belongs here: whatever imports MLflow. The records are authoritative; nothing here may stop a campaign.
"""
