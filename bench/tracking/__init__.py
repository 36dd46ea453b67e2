"""MLflow, all of it: trial runs, study runs, logged models, the saved chart view, and the local server.

Belongs here: whatever imports MLflow. Records are the truth; nothing here may stop a campaign.
"""
