# What the configuration says, as `repoint bundle` has read it: Terraform reads no TOML.

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
  # Lambda measures the variables as one JSON text, in which each quote and each line's end takes two bytes. Base64 is
  # how Terraform counts bytes: four characters for three of them.
  environment_bytes = floor(length(base64encode(jsonencode(local.environment))) / 4) * 3
  layers            = concat(var.configuration_layer == null ? [] : [var.configuration_layer.arn], var.layers)
}

# The function's role depends on this, and the function on the role: so all that is wrong is said at once, and before
# anything is made. It stands by itself, since a role may be given.
resource "terraform_data" "checked" {
  lifecycle {
    precondition {
      condition     = (var.zip == null) != (var.zip_in_s3 == null)
      error_message = "Give the function's zip either as `zip` (a path) or as `zip_in_s3` (a bucket and a key)."
    }
    precondition {
      condition     = var.vpc != null || length(var.endpoints.services) == 0
      error_message = "`endpoints` are made in a VPC, and there is none: give `vpc`, or leave `endpoints` out."
    }
    precondition {
      condition     = local.environment_bytes <= 4096
      error_message = "The environment takes ${local.environment_bytes} bytes as Lambda counts them, with each quote and each line's end as two, and 4096 is all there is. Take comments out of the configuration, or put repoint.toml into a layer (zip layer.zip repoint.toml; aws lambda publish-layer-version --layer-name repoint-configuration --zip-file fileb://layer.zip) and give its ARN as `configuration_layer`."
    }
    precondition {
      condition     = length(local.layers) <= 5
      error_message = "A function has at most 5 layers, and `configuration_layer` and `layers` are ${length(local.layers)}."
    }
    precondition {
      condition     = local.bundle.table == local.table_name
      error_message = "The configuration must keep its state in the table `${local.table_name}`, and it names ${local.configured_table}. Write `[state]` and below it `dynamodb_table = \"${local.table_name}\"`, or give the table that it names as `table`."
    }
    precondition {
      condition     = contains(local.bundle.alert_topics, local.alert_topic_arn)
      error_message = "The configuration must publish alerts to ${local.alert_topic_arn}, and it names ${local.configured_topics}. Write `[alerts]` and below it `sns_topic_arn = \"${local.alert_topic_arn}\"`, or give the topic that it names as `alert_topic`."
    }
    precondition {
      condition     = local.is_callback_called
      error_message = "The configuration has callbacks publish to ${coalesce(local.bundle.trigger_topic, "none")}, which calls nothing here. Write `[callback]` and below it `sns_topic_arn = \"${local.trigger_topic_arn}\"`, or give the topic that it names as `trigger_topic`."
    }
    precondition {
      condition     = length(local.unknown_clusters) == 0
      error_message = "`schedules` names ${join(", ", local.unknown_clusters)}, and the configuration has ${join(", ", local.bundle.clusters)}."
    }
    precondition {
      condition     = local.trigger_topic_arn != local.alert_topic_arn
      error_message = "${local.alert_topic_arn} is both `trigger_topic` and `alert_topic`: each alert would call the function. Give two topics."
    }
    precondition {
      condition     = split(":", local.trigger_topic_arn)[3] == local.region
      error_message = "`trigger_topic` is in ${split(":", local.trigger_topic_arn)[3]}, and the function in ${local.region}. Give a topic in ${local.region}, or leave it out: the callbacks of all Regions may publish to it."
    }
    precondition {
      condition     = length(local.policy) + length(local.own_policy) <= 10240
      error_message = "The role's policies have ${length(local.policy) + length(local.own_policy)} characters, and IAM takes 10240. Part the clusters over several instances of this module, each with its own configuration and `name`."
    }
  }
}
