# The configuration as printed by `repoint bundle`, since Terraform reads no TOML.

locals {
  bundle = jsondecode(var.bundle)

  configured_table   = local.bundle.table == null ? "none" : local.bundle.table
  configured_topics  = length(local.bundle.alert_topics) == 0 ? "no topic" : join(", ", local.bundle.alert_topics)
  is_callback_called = local.bundle.trigger_topic == null ? true : local.bundle.trigger_topic == local.trigger_topic_arn
  policy             = jsonencode(local.bundle.policy)

  unknown_clusters = setsubtract(
    flatten([for schedule in values(var.schedules) : schedule.clusters]),
    concat(local.bundle.clusters, local.bundle.scopes),
  )

  environment = merge(
    var.environment,
    var.configuration_layer == null ? { REPOINT_CONFIG_INLINE = local.bundle.configuration } : {},
    var.log_filter == null ? {} : { REPOINT_LOG = var.log_filter },
  )
  # Lambda measures the variables as one JSON text, in which each quote and each line break takes two bytes. Terraform
  # counts bytes through base64: four characters for three bytes.
  environment_bytes = floor(length(base64encode(jsonencode(local.environment))) / 4) * 3
  layers            = concat(var.configuration_layer == null ? [] : [var.configuration_layer.arn], var.layers)
}

# The function's role depends on this, and the function on the role: so all mistakes are reported at once, and before
# anything is created. It is a resource of its own, since the role may be given.
resource "terraform_data" "checked" {
  lifecycle {
    precondition {
      condition     = (var.zip == null) != (var.zip_in_s3 == null)
      error_message = "Set the function's zip either as `zip` (a path) or as `zip_in_s3` (a bucket and a key)."
    }
    precondition {
      condition     = var.vpc != null || length(var.endpoints.services) == 0
      error_message = "`endpoints` are created in a VPC, but there is none: set `vpc`, or omit `endpoints`."
    }
    precondition {
      condition     = local.environment_bytes <= 4096
      error_message = "The environment takes ${local.environment_bytes} bytes as Lambda counts them (two for each quote and each line break), but the limit is 4096. Remove comments from the configuration, or put repoint.toml into a layer (zip layer.zip repoint.toml; aws lambda publish-layer-version --layer-name repoint-configuration --zip-file fileb://layer.zip) and set `configuration_layer` to its ARN."
    }
    precondition {
      condition     = length(local.layers) <= 5
      error_message = "A function has at most 5 layers, but `configuration_layer` and `layers` have ${length(local.layers)}."
    }
    precondition {
      condition     = local.bundle.table == local.table_name
      error_message = "The configuration must keep its state in the table `${local.table_name}`, but it uses ${local.configured_table}. Set `dynamodb_table = \"${local.table_name}\"` under `[state]`, or set `table` to the table that it uses."
    }
    precondition {
      condition     = contains(local.bundle.alert_topics, local.alert_topic_arn)
      error_message = "The configuration must publish alerts to ${local.alert_topic_arn}, but it uses ${local.configured_topics}. Set `sns_topic_arn = \"${local.alert_topic_arn}\"` under `[alerts]`, or set `alert_topic` to the topic that it uses."
    }
    precondition {
      condition     = local.is_callback_called
      error_message = "The configuration has callbacks publish to ${coalesce(local.bundle.trigger_topic, "none")}, which does not call this function. Set `sns_topic_arn = \"${local.trigger_topic_arn}\"` under `[callback]`, or set `trigger_topic` to the topic that it uses."
    }
    precondition {
      condition     = length(local.unknown_clusters) == 0
      error_message = "`schedules` has the unknown clusters ${join(", ", local.unknown_clusters)}; the configuration has ${join(", ", local.bundle.clusters)}."
    }
    precondition {
      condition     = local.trigger_topic_arn != local.alert_topic_arn
      error_message = "${local.alert_topic_arn} is both `trigger_topic` and `alert_topic`: each alert would call the function. Use two topics."
    }
    precondition {
      condition     = split(":", local.trigger_topic_arn)[3] == local.region
      error_message = "`trigger_topic` is in ${split(":", local.trigger_topic_arn)[3]}, but the function is in ${local.region}. Set it to a topic in ${local.region}, or omit it: callbacks in all Regions can publish to it."
    }
    precondition {
      condition     = !(var.dashboard_enabled || var.metric_alarms_enabled) || var.log_group_class != "INFREQUENT_ACCESS"
      error_message = "CloudWatch takes no metrics out of a log group of the class INFREQUENT_ACCESS. Set `log_group_class = \"STANDARD\"`, or omit `dashboard_enabled` and `metric_alarms_enabled`."
    }
    precondition {
      condition     = length(local.policy) + length(local.own_policy) <= 10240
      error_message = "The role's policies have ${length(local.policy) + length(local.own_policy)} characters, but IAM's limit is 10240. Split the clusters between several instances of this module, each with its own configuration and `name`."
    }
  }
}
