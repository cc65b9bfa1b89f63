"""What the lab is expected to show. A module is a group: it names its sites and its checks."""
