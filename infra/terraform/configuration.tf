# What the configuration and the policy say. Terraform reads no TOML, so this looks for a handful of keys as they are
# usually written. It is no parser: `repoint check` is. It is there to find, before anything is made, the mistakes that
# would otherwise be a function that starts and may not do its work.

locals {
  # Without comments and indentation, so that every key and every header begins its line.
  plain = replace(
    replace("\n${replace(var.configuration, "\r\n", "\n")}\n", "/(^|[ \\t\\n])#[^\\n]*/", "$1"),
    "/\\n[ \\t]+/", "\n"
  )

  # Each begins with the rest of its header, such as `state]` or `[cluster.record]]`.
  sections = split("\n[", local.plain)

  # A key is written in its section, or as `state.dynamodb_table`, or as `state = { dynamodb_table = … }`.
  value = "[ \\t]*=[ \\t]*[\"']([^\"'\\n]*)[\"']"
  other = "[ \\t]*(?:\\.|=[ \\t]*\\{[^}\\n]*?)[ \\t]*"
  configured_tables = distinct(flatten([
    [for section in local.sections : regexall("\\ndynamodb_table${local.value}", section) if can(regex("^[ \\t]*state[ \\t]*\\]", section))],
    regexall("\\nstate${local.other}dynamodb_table${local.value}", local.plain),
  ]))
  configured_alert_topics = distinct(flatten([
    [for section in local.sections : regexall("\\nsns_topic_arn${local.value}", section) if can(regex("^[ \\t]*alerts[ \\t]*\\]", section))],
    regexall("\\nalerts${local.other}sns_topic_arn${local.value}", local.plain),
  ]))
  configured_trigger_topics = distinct(flatten([
    [for section in local.sections : regexall("\\nsns_topic_arn${local.value}", section) if can(regex("^[ \\t]*callback[ \\t]*\\]", section))],
    regexall("\\ncallback${local.other}sns_topic_arn${local.value}", local.plain),
  ]))

  # The zone of a record, and not that of a load balancer, which a site's alias names.
  configured_zones = distinct(flatten([
    for section in local.sections : regexall("\\nzone_id${local.value}", section)
    if can(regex("^\\[[ \\t]*cluster\\.record[ \\t]*\\]\\]", section))
  ]))

  elb_arn                 = "arn:[a-z-]+:elasticloadbalancing:[A-Za-z0-9:/_.-]+"
  configured_balancers    = distinct(regexall(local.elb_arn, local.plain))
  configured_elb_regions  = distinct([for arn in local.configured_balancers : split(":", arn)[3]])
  instances_may_be_looked = strcontains(local.policy, "\"ec2:DescribeInstances\"")

  # The same policy without the blanks, which IAM does not count.
  policy         = jsonencode(jsondecode(var.policy))
  allowed_things = distinct(regexall("${local.elb_arn}|hostedzone/[A-Z0-9]+", local.policy))
  needed_things = concat(
    local.configured_balancers,
    [for zone in local.configured_zones : "hostedzone/${zone}"],
  )
  # A closing quote, since one id may begin with another.
  not_allowed = [
    for thing in concat(local.needed_things, [local.alert_topic_arn, "table/${local.table_name}"]) :
    thing if !strcontains(local.policy, "${thing}\"")
  ]
  not_needed = setsubtract(local.allowed_things, local.needed_things)
}

locals {
  environment = merge(
    var.configuration_layer == null ? { REPOINT_CONFIG_INLINE = var.configuration } : {},
    var.log_filter == null ? {} : { REPOINT_LOG = var.log_filter },
  )
  # Lambda measures the variables as one JSON text, in which each quote and each line's end takes two bytes. Base64 is
  # how Terraform counts bytes: four characters for three of them.
  environment_bytes = floor(length(base64encode(jsonencode(local.environment))) / 4) * 3
}
