# Alarms for what `repoint` cannot report itself.

locals {
  alarm_actions = concat([local.alert_topic_arn], var.alarm_actions)

  # The rates of the schedules, in minutes; those of cron expressions are unknown.
  unit_minutes = { minute = 1, minutes = 1, hour = 60, hours = 60, day = 1440, days = 1440 }
  rates        = flatten([for schedule in values(var.schedules) : regexall("^rate\\(([0-9]+) ([a-z]+)\\)$", schedule.expression)])
  rate_minutes = [for i in range(0, length(local.rates), 2) : tonumber(local.rates[i]) * local.unit_minutes[local.rates[i + 1]]]

  own_metric      = { namespace = "repoint", dimensions = { FunctionName = var.name } }
  function_metric = { namespace = "AWS/Lambda", dimensions = { FunctionName = var.name } }

  alarms = {
    errors = {
      description = "${var.name}: invocations fail. See the log group /aws/lambda/${var.name}, lines of level ERROR."
      source      = local.function_metric
      metric      = "Errors"
      of          = 5
      at_least    = 3
    }
    throttles = {
      description = "${var.name}: Lambda throttles invocations. Raise `reserved_concurrency`, or check the account's concurrency."
      source      = local.function_metric
      metric      = "Throttles"
      of          = 5
      at_least    = 3
    }
    dropped = {
      description = "${var.name}: Lambda has discarded invocations. The failure queue has them, with their errors."
      source      = local.function_metric
      metric      = "AsyncEventsDropped"
      of          = 5
      at_least    = 1
    }
    undelivered = {
      description = "${var.name}: Lambda could not send failed invocations to the failure queue. Check the function's role and the queue's policy and key."
      source      = local.function_metric
      metric      = "DestinationDeliveryFailures"
      of          = 5
      at_least    = 1
    }
    failures = {
      description = "${var.name}: the failure queue has invocations that failed finally, with their errors. Read it, correct the cause, and purge it."
      source      = { namespace = "AWS/SQS", dimensions = { QueueName = reverse(split(":", local.failure_queue_arn))[0] } }
      metric      = "ApproximateNumberOfMessagesVisible"
      of          = 1
      at_least    = 1
    }
    callbacks = {
      description = "${var.name}: SNS could not deliver callbacks. A failover waits for the schedule."
      source      = { namespace = "AWS/SNS", dimensions = { TopicName = reverse(split(":", local.trigger_topic_arn))[0] } }
      metric      = "NumberOfNotificationsFailed"
      of          = 5
      at_least    = 1
    }
    alerts = {
      description = "${var.name}: SNS could not deliver alerts. Check the subscriptions of the topic."
      source      = { namespace = "AWS/SNS", dimensions = { TopicName = reverse(split(":", local.alert_topic_arn))[0] } }
      metric      = "NumberOfNotificationsFailed"
      of          = 5
      at_least    = 1
    }
  }

  # On the metrics that the function's log carries. CloudWatch takes them out of it some time later, so no single minute
  # decides.
  metric_alarms = {
    no-primary = {
      description = "${var.name}: a cluster has no known primary. Lines `pass ended` of the log with NoPrimary = 1 say which."
      source      = local.own_metric
      metric      = "NoPrimary"
      of          = 5
      at_least    = 3
    }
    conditions-critical = {
      description = "${var.name}: a cluster has a critical condition. Its own alert has the details."
      source      = local.own_metric
      metric      = "ConditionsCritical"
      of          = 3
      at_least    = 2
    }
    held = {
      description = "${var.name}: a cluster has been held for 10 minutes. Lines `pass ended` of the log with Held = 1 say which, and why."
      source      = local.own_metric
      metric      = "Held"
      of          = 10
      at_least    = 10
    }
  }
}

resource "aws_cloudwatch_metric_alarm" "this" {
  for_each = var.alarms_enabled ? merge(local.alarms, var.metric_alarms_enabled ? local.metric_alarms : {}) : {}

  alarm_name          = "${var.name}-${each.key}"
  alarm_description   = each.value.description
  namespace           = each.value.source.namespace
  metric_name         = each.value.metric
  dimensions          = each.value.source.dimensions
  statistic           = each.key == "failures" ? "Maximum" : "Sum"
  period              = 60
  comparison_operator = "GreaterThanOrEqualToThreshold"
  threshold           = 1
  evaluation_periods  = each.value.of
  datapoints_to_alarm = each.value.at_least
  treat_missing_data  = "notBreaching"
  alarm_actions       = local.alarm_actions
  ok_actions          = local.alarm_actions
  tags                = var.tags

  lifecycle {
    precondition {
      condition     = split(":", local.alert_topic_arn)[3] == local.region
      error_message = "Alarms reach only topics of their own Region, but the alert topic is in ${split(":", local.alert_topic_arn)[3]}. Set `alert_topic` to a topic in ${local.region}, or set `alarms_enabled = false`."
    }
  }
}

resource "aws_cloudwatch_metric_alarm" "no_success" {
  count = var.alarms_enabled && var.no_success_minutes > 0 ? 1 : 0

  alarm_name          = "${var.name}-no-success"
  alarm_description   = "${var.name}: no invocation has succeeded for ${var.no_success_minutes} minutes. A failover would not be followed."
  comparison_operator = "LessThanThreshold"
  threshold           = 1
  evaluation_periods  = var.no_success_minutes
  # Missing data means that the schedule has stopped calling.
  treat_missing_data = "breaching"
  # Triggers are disabled on purpose: no alarm.
  actions_enabled = var.triggers_enabled
  alarm_actions   = local.alarm_actions
  ok_actions      = local.alarm_actions
  tags            = var.tags

  metric_query {
    id          = "successes"
    label       = "Invocations that succeeded"
    expression  = "FILL(invocations, 0) - FILL(errors, 0)"
    return_data = true
  }

  dynamic "metric_query" {
    for_each = { invocations = "Invocations", errors = "Errors" }
    content {
      id = metric_query.key
      metric {
        namespace   = "AWS/Lambda"
        metric_name = metric_query.value
        dimensions  = { FunctionName = aws_lambda_function.this.function_name }
        stat        = "Sum"
        period      = 60
      }
    }
  }

  lifecycle {
    precondition {
      condition     = length(local.rate_minutes) == 0 || try(min(local.rate_minutes...) < var.no_success_minutes, false)
      error_message = "The alarm would be raised between two invocations: the most frequent schedule calls every ${try(min(local.rate_minutes...), 0)} minutes. Raise `no_success_minutes` (${var.no_success_minutes}) above that, or set it to 0."
    }
  }
}
