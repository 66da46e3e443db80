# A page of CloudWatch for the function: what is wrong, its passes, its invocations, and from its log the clusters and
# the last moves. ../cloudformation/monitoring.yaml has the same page.

locals {
  own_metrics  = { for name in ["Clusters", "Changed", "Held", "Failed", "NoPrimary", "ConditionsCritical", "PassDuration", "RetargetDelay"] : name => ["repoint", name, "FunctionName", var.name] }
  invocations  = { for name in ["Invocations", "Errors", "Throttles", "Duration"] : name => ["AWS/Lambda", name, "FunctionName", var.name] }
  undelivered  = { for kind in ["callbacks", "alerts"] : kind => ["AWS/SNS", "NumberOfNotificationsFailed", "TopicName", local.alarms[kind].source.dimensions.TopicName, { label = kind }] }
  failed_queue = ["AWS/SQS", "ApproximateNumberOfMessagesVisible", "QueueName", local.alarms.failures.source.dimensions.QueueName, { label = "failure queue", stat = "Maximum" }]

  # Each graph, in rows of three.
  graphs = [
    { title = "What is wrong", stat = "Sum", metrics = [for name in ["NoPrimary", "ConditionsCritical", "Held", "Failed"] : local.own_metrics[name]] },
    { title = "Clusters checked, and changed", stat = "Sum", metrics = [for name in ["Clusters", "Changed"] : local.own_metrics[name]] },
    { title = "Duration of passes, and until a new primary was followed", stat = "p95", metrics = [local.own_metrics.PassDuration, concat(local.own_metrics.RetargetDelay, [{ stat = "Maximum" }])] },
    { title = "Invocations", stat = "Sum", metrics = [for name in ["Invocations", "Errors", "Throttles"] : local.invocations[name]] },
    { title = "Duration of invocations", stat = "p95", metrics = [local.invocations.Duration] },
    { title = "Not delivered", stat = "Sum", metrics = [local.undelivered.callbacks, local.undelivered.alerts, local.failed_queue] },
  ]

  # Each query of the log, side by side.
  queries = [
    { title = "Clusters that were held or have failed", query = "filter message = 'pass ended' and outcome in ['held', 'failed'] | stats count(*) as passes, max(NoPrimary) as no_primary, latest(why) as reason by cluster.name, outcome | sort passes desc | limit 50" },
    { title = "Last moves", query = "filter message = 'step' | sort @timestamp desc | display @timestamp, cluster.name, action, endpoint, from, to, cause, result | limit 50" },
  ]

  alarm_arns = concat([for alarm in aws_cloudwatch_metric_alarm.this : alarm.arn], aws_cloudwatch_metric_alarm.no_success[*].arn)

  widgets = concat(
    [for arns in length(local.alarm_arns) == 0 ? [] : [local.alarm_arns] : {
      type       = "alarm", x = 0, y = 0, width = 24, height = 3
      properties = { title = "Alarms", alarms = arns }
    }],
    [for i, graph in local.graphs : {
      type       = "metric", x = 8 * (i % 3), y = 3 + 6 * floor(i / 3), width = 8, height = 6
      properties = { title = graph.title, region = local.region, view = "timeSeries", period = 60, stat = graph.stat, metrics = graph.metrics, yAxis = { left = { min = 0 } } }
    }],
    [for i, log in local.queries : {
      type       = "log", x = 12 * i, y = 15, width = 12, height = 8
      properties = { title = log.title, region = local.region, view = "table", query = "SOURCE '/aws/lambda/${var.name}' | ${log.query}" }
    }],
  )
}

resource "aws_cloudwatch_dashboard" "this" {
  count = var.dashboard_enabled ? 1 : 0

  # A dashboard's name is unique in the account, not in the Region.
  dashboard_name = local.role_name
  dashboard_body = jsonencode({ start = "-PT6H", periodOverride = "inherit", widgets = local.widgets })
}
