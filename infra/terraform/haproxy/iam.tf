# Following a primary with HAProxy uses nothing of AWS, so an instance has no profile; with an alert topic it has what
# `repoint iam` prints for its configuration: to publish there.

data "aws_region" "current" {}

resource "aws_iam_role" "this" {
  count = var.alert_topic == null ? 0 : 1

  # IAM names are unique in the account, so each Region needs its own.
  name        = "${var.name}-${data.aws_region.current.id}"
  description = "HAProxy ${var.name}: publishes alerts"
  tags        = var.tags

  assume_role_policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Principal = { Service = "ec2.amazonaws.com" }, Action = "sts:AssumeRole" }]
  })
}

resource "aws_iam_role_policy" "this" {
  count = var.alert_topic == null ? 0 : 1

  name   = "repoint"
  role   = aws_iam_role.this[0].id
  policy = local.policy
}

resource "aws_iam_instance_profile" "this" {
  count = var.alert_topic == null ? 0 : 1

  name = aws_iam_role.this[0].name
  role = aws_iam_role.this[0].name
  tags = var.tags
}

locals {
  policy = var.alert_topic == null ? null : jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid      = "PublishAlerts"
      Effect   = "Allow"
      Action   = ["sns:Publish"]
      Resource = [var.alert_topic.arn]
    }]
  })
}
