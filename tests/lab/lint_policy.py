"""Reads an IAM policy from stdin and prints what parliament finds in it, as JSON."""

import json
import sys

from parliament import analyze_policy_string

findings = analyze_policy_string(sys.stdin.read()).findings
print(json.dumps([{"issue": finding.issue, "detail": finding.detail} for finding in findings]))
