# Existing resources are passed as objects: whether one is given is then known when planning, even if its ARN is not.

variable "name" {
  description = "Name of everything that is created. Two instances in one Region need different names."
  type        = string
  default     = "repoint"

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,29}$", var.name))
    error_message = "`name` becomes part of the names of roles, topics and more: it must begin with a lower-case letter, continue with letters, digits and hyphens, and have at most 30 characters."
  }
}

variable "zip" {
  description = "Path of the function's zip, which has the binary `bootstrap`: `cargo lambda build --release --output-format zip --package repoint-lambda` creates it as `target/lambda/bootstrap/bootstrap.zip`. Alternative: `zip_in_s3`."
  type        = string
  default     = null

  validation {
    condition     = var.zip == null || try(fileexists(var.zip), false)
    error_message = "There is no file `${coalesce(var.zip, "null")}`. Build it with `cargo lambda build --release --output-format zip --package repoint-lambda`, or zip the binary `bootstrap`, and set `zip` to its path."
  }
}

variable "zip_in_s3" {
  description = "The function's zip in an S3 bucket of the function's Region, instead of `zip`. Use another key or `version` for each build, or the change is not detected."
  type        = object({ bucket = string, key = string, version = optional(string) })
  default     = null

  validation {
    condition     = var.zip_in_s3 == null || can(regex("^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$", var.zip_in_s3.bucket))
    error_message = "`zip_in_s3.bucket` must be the name of an S3 bucket, without s3://."
  }
}

variable "architecture" {
  description = "Architecture that the zip was built for: `x86_64`, or `arm64` (`cargo lambda build --arm64`)."
  type        = string
  default     = "x86_64"

  validation {
    condition     = contains(["x86_64", "arm64"], var.architecture)
    error_message = "`architecture` must be `x86_64` or `arm64`, as the zip was built."
  }
}

variable "bundle" {
  description = "The configuration and what follows from it, as printed by `repoint bundle --config repoint.toml > bundle.json`: `file(\"bundle.json\")`. The configuration becomes the function's environment, unless a layer has it; the policy becomes that of its role."
  type        = string

  validation {
    condition     = try(jsondecode(var.bundle).bundle == 1 && length(jsondecode(var.bundle).clusters) > 0, false)
    error_message = "`bundle` is not a bundle for this module. Create it with the `repoint` of the same version, `repoint bundle --config repoint.toml > bundle.json`, and set `bundle = file(\"bundle.json\")`."
  }
}

variable "configuration_layer" {
  description = "A layer (the ARN of one version) that has `repoint.toml` at its top, for a configuration that exceeds Lambda's 4 KB of environment. `bundle` must be created from the same file."
  type        = object({ arn = string })
  default     = null

  validation {
    condition     = var.configuration_layer == null || can(regex("^arn:[a-z-]+:lambda:[a-z0-9-]+:[0-9]{12}:layer:[A-Za-z0-9_-]+:[0-9]+$", var.configuration_layer.arn))
    error_message = "`configuration_layer.arn` must be the ARN of a layer version, which ends in a number: arn:aws:lambda:us-east-1:123456789012:layer:repoint-configuration:1."
  }
}

variable "role" {
  description = "An existing role for the function, which the module does not change: it must trust `lambda.amazonaws.com`, and have the policies of the output `role_policies`. Null creates `NAME-REGION`."
  type        = object({ arn = string })
  default     = null

  validation {
    condition     = var.role == null || can(regex("^arn:[a-z-]+:iam::[0-9]{12}:role/[A-Za-z0-9+=,.@_/-]+$", var.role.arn))
    error_message = "`role.arn` must be the ARN of a role, such as arn:aws:iam::123456789012:role/repoint."
  }
}

variable "schedule_role" {
  description = "An existing role for the schedules: it must trust `scheduler.amazonaws.com`, and allow `lambda:InvokeFunction` on the function and `sqs:SendMessage` on the failure queue. Null creates `NAME-REGION-schedule`."
  type        = object({ arn = string })
  default     = null

  validation {
    condition     = var.schedule_role == null || can(regex("^arn:[a-z-]+:iam::[0-9]{12}:role/[A-Za-z0-9+=,.@_/-]+$", var.schedule_role.arn))
    error_message = "`schedule_role.arn` must be the ARN of a role, such as arn:aws:iam::123456789012:role/repoint-schedule."
  }
}

variable "role_path" {
  description = "Path of the created roles."
  type        = string
  default     = "/"

  validation {
    condition     = can(regex("^/([!-~]{1,510}/)?$", var.role_path))
    error_message = "`role_path` must begin and end with a slash, such as /service/."
  }
}

variable "permissions_boundary" {
  description = "Permissions boundary of the created roles: a managed policy that limits their rights."
  type        = object({ arn = string })
  default     = null

  validation {
    condition     = var.permissions_boundary == null || can(regex("^arn:[a-z-]+:iam::([0-9]{12}|aws):policy/[A-Za-z0-9+=,.@_/-]+$", var.permissions_boundary.arn))
    error_message = "`permissions_boundary.arn` must be the ARN of a managed policy, such as arn:aws:iam::123456789012:policy/boundary."
  }
}

variable "environment" {
  description = "Additional environment variables of the function, such as `HTTPS_PROXY`. Settings of `repoint` belong in `repoint.toml`."
  type        = map(string)
  default     = {}

  validation {
    condition     = alltrue([for name in keys(var.environment) : can(regex("^[A-Za-z][A-Za-z0-9_]*$", name)) && !can(regex("^(REPOINT_|AWS_LAMBDA_)", name))])
    error_message = "`environment` must have variable names that begin with a letter and continue with letters, digits and `_`. Those that begin with REPOINT_ belong in repoint.toml, from which `bundle` is created, or are `log_filter`; those that begin with AWS_LAMBDA_ are reserved by Lambda."
  }
}

variable "layers" {
  description = "Additional layers (the ARNs of versions), such as a monitoring extension."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for arn in var.layers : can(regex("^arn:[a-z-]+:lambda:[a-z0-9-]+:[0-9]{12}:layer:[A-Za-z0-9_-]+:[0-9]+$", arn))])
    error_message = "`layers` must have ARNs of layer versions, which end in a number: arn:aws:lambda:us-east-1:123456789012:layer:telemetry:1."
  }
}

variable "function_version" {
  description = "The version that schedules and callbacks call; null means the newest. Each apply that changes code or configuration publishes a version; to roll back, set an earlier one, such as `\"3\"`."
  type        = string
  default     = null

  validation {
    condition     = var.function_version == null || can(regex("^[1-9][0-9]*$", var.function_version))
    error_message = "`function_version` must be the number of a published version, such as \"3\": aws lambda list-versions-by-function."
  }
}

variable "log_filter" {
  description = "Value of `REPOINT_LOG`: a level (`error`, `warn`, `info`, `debug`, `trace`), or a filter such as `error,repoint=debug`."
  type        = string
  default     = null

  validation {
    condition     = var.log_filter == null || can(regex("^[A-Za-z0-9_:=,\\[\\]{}.-]+$", var.log_filter))
    error_message = "`log_filter` must be a level such as `debug`, or a filter such as `error,repoint=debug`."
  }
}

variable "memory_mb" {
  description = "Memory of the function. CPU is allotted in proportion; with 128 MB a cold start takes about twice as long as with 512."
  type        = number
  default     = 512

  validation {
    condition     = var.memory_mb >= 128 && var.memory_mb <= 10240 && floor(var.memory_mb) == var.memory_mb
    error_message = "`memory_mb` must be a whole number from 128 to 10240."
  }
}

variable "timeout_seconds" {
  description = "Timeout of an invocation. A pass ends earlier, and also after `pass.deadline_seconds`."
  type        = number
  default     = 60

  validation {
    condition     = var.timeout_seconds >= 5 && var.timeout_seconds <= 900 && floor(var.timeout_seconds) == var.timeout_seconds
    error_message = "`timeout_seconds` must be a whole number from 5 to 900."
  }
}

variable "reserved_concurrency" {
  description = "How many invocations may run concurrently; 0 stops the function. Null shares the account's unreserved concurrency. The state table prevents conflicting passes, so 1 is not needed for safety; it prevents a fleet's passes from using AWS's request limits twice."
  type        = number
  default     = null

  validation {
    condition     = var.reserved_concurrency == null || try(var.reserved_concurrency >= 0 && floor(var.reserved_concurrency) == var.reserved_concurrency, false)
    error_message = "`reserved_concurrency` must be a whole number or null. AWS requires 100 of the account's to stay unreserved."
  }
}

variable "triggers_enabled" {
  description = "Whether the schedules and the topic call the function. With `false` everything is created and nothing is changed: for a manual `{\"dry_run\": true}` first."
  type        = bool
  default     = true
}

variable "schedules" {
  description = "Schedules of regular checks, by name. `clusters` are the scopes to check; an empty list means all. Several schedules can split a fleet."
  type = map(object({
    expression = optional(string, "rate(1 minute)")
    clusters   = optional(list(string), [])
    dry_run    = optional(bool, false)
  }))
  default = { all = {} }

  validation {
    condition = alltrue([
      for schedule in values(var.schedules) :
      can(regex("^(rate\\((1 (minute|hour|day)|([2-9]|[1-9][0-9]+) (minutes|hours|days))\\)|cron\\([^()]+ [^()]+ [^()]+ [^()]+ [^()]+ [^()]+\\))$", schedule.expression))
    ])
    error_message = "A schedule's `expression` must be `rate(1 minute)`, `rate(5 minutes)`, or `cron(…)` with six fields: minutes, hours, day of the month, month, day of the week, year."
  }

  validation {
    condition     = alltrue([for name in keys(var.schedules) : can(regex("^[A-Za-z0-9_.-]{1,30}$", name))])
    error_message = "A schedule's name must have at most 30 characters: letters, digits, `-`, `_` and `.`."
  }
}

variable "trigger_topic" {
  description = "The SNS topic that Patroni's callbacks publish to (`callback.sns_topic_arn`). Null creates `NAME-look`."
  type        = object({ arn = string })
  default     = null

  validation {
    condition     = var.trigger_topic == null || can(regex("^arn:[a-z-]+:sns:[a-z0-9-]+:[0-9]{12}:[A-Za-z0-9_-]+$", var.trigger_topic.arn))
    error_message = "`trigger_topic.arn` must be the ARN of a standard SNS topic, such as arn:aws:sns:us-east-1:123456789012:repoint-look; FIFO topics cannot call a function."
  }
}

variable "callback_batches" {
  description = "Callbacks wait up to `seconds` in a queue, and each batch of them is one invocation, `at_once` of them at most: for a fleet, in which many clusters may fail over at once. Null means an invocation for each callback, without delay."
  type = object({
    seconds = optional(number, 1)
    at_once = optional(number, 2)
  })
  default = null

  validation {
    condition     = var.callback_batches == null || try(var.callback_batches.seconds >= 1 && var.callback_batches.seconds <= 300 && var.callback_batches.at_once >= 2 && var.callback_batches.at_once <= 1000, false)
    error_message = "`callback_batches.seconds` must be from 1 to 300, and `callback_batches.at_once` from 2 to 1000: AWS accepts no others."
  }
}

variable "alert_topic" {
  description = "The SNS topic for the alerts of `repoint` (`alerts.sns_topic_arn`) and the alarms. Null creates `NAME-alerts`."
  type        = object({ arn = string })
  default     = null

  validation {
    condition     = var.alert_topic == null || can(regex("^arn:[a-z-]+:sns:[a-z0-9-]+:[0-9]{12}:[A-Za-z0-9_-]+$", var.alert_topic.arn))
    error_message = "`alert_topic.arn` must be the ARN of a standard SNS topic, such as arn:aws:sns:us-east-1:123456789012:db-alerts."
  }
}

variable "table" {
  description = "The DynamoDB table of the state (`state.dynamodb_table`), with the key `scope` of type S. Null creates `NAME`. An existing one must be in the function's Region."
  type        = object({ name = string })
  default     = null

  validation {
    condition     = var.table == null || can(regex("^[A-Za-z0-9_.-]{3,255}$", var.table.name))
    error_message = "`table.name` must be the name of a DynamoDB table, not its ARN."
  }
}

variable "table_deletion_protection" {
  description = "Whether the created table is protected against deletion. Without its state `repoint` adopts each cluster again, and no longer knows the highest timelines."
  type        = bool
  default     = true
}

variable "failure_queue" {
  description = "The SQS queue for finally failed invocations and for callbacks that SNS could not deliver: its policy must allow `sns.amazonaws.com` to send for the trigger topic. Null creates `NAME-failures`."
  type        = object({ arn = string })
  default     = null

  validation {
    condition     = var.failure_queue == null || can(regex("^arn:[a-z-]+:sqs:[a-z0-9-]+:[0-9]{12}:[A-Za-z0-9_-]+$", var.failure_queue.arn))
    error_message = "`failure_queue.arn` must be the ARN of a standard SQS queue, such as arn:aws:sqs:us-east-1:123456789012:repoint-failures."
  }
}

variable "kms_key" {
  description = "A KMS key for the environment, the log, and the created topics, table, queue and schedules. Null means AWS's own keys, and no encryption at rest of the topics. See \"A key of your own\"."
  type        = object({ arn = string })
  default     = null

  validation {
    condition     = var.kms_key == null || can(regex("^arn:[a-z-]+:kms:[a-z0-9-]+:[0-9]{12}:key/[A-Za-z0-9-]+$", var.kms_key.arn))
    error_message = "`kms_key.arn` must be the ARN of a key, not of an alias: arn:aws:kms:us-east-1:123456789012:key/0f5e3c1a-…"
  }
}

variable "log_retention_days" {
  description = "How many days CloudWatch keeps the log; 0 means for ever."
  type        = number
  default     = 30

  validation {
    condition = contains(
      [0, 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653],
      var.log_retention_days
    )
    error_message = "`log_retention_days` must be 0 (for ever), 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288 or 3653."
  }
}

variable "log_group_class" {
  description = "Class of the log group: `STANDARD` (null means the same), or `INFREQUENT_ACCESS`, which costs half and has no metrics, no metric filters and no live tail. It cannot be changed later."
  type        = string
  default     = null

  validation {
    condition     = var.log_group_class == null || try(contains(["STANDARD", "INFREQUENT_ACCESS"], var.log_group_class), false)
    error_message = "`log_group_class` must be `STANDARD` or `INFREQUENT_ACCESS`."
  }
}

variable "vpc" {
  description = "Network of the function, from which it must reach Patroni. `patroni_cidr_blocks` and `patroni_security_group_ids` are those of the members. `open_patroni_security_groups` also allows the function to connect to them, by a rule in each of those groups. `https_cidr_blocks` is where AWS is reached: by default everywhere, and only the endpoints if `endpoints` are created. Null means no VPC."
  type = object({
    id                           = string
    subnet_ids                   = list(string)
    patroni_port                 = optional(number, 8008)
    patroni_cidr_blocks          = optional(list(string), [])
    patroni_security_group_ids   = optional(list(string), [])
    open_patroni_security_groups = optional(bool, false)
    security_group_ids           = optional(list(string), [])
    https_cidr_blocks            = optional(list(string))
  })
  default = null

  validation {
    condition     = var.vpc == null || try(length(var.vpc.subnet_ids) > 0, false)
    error_message = "`vpc.subnet_ids` is empty: list a private subnet in each Availability Zone, so that the function survives the failure of one."
  }

  validation {
    condition     = var.vpc == null || try(length(var.vpc.patroni_cidr_blocks) + length(var.vpc.patroni_security_group_ids) > 0, false)
    error_message = "Patroni's addresses are unknown: set `vpc.patroni_cidr_blocks` (the subnets of the members) or `vpc.patroni_security_group_ids`."
  }

  validation {
    condition = var.vpc == null || try(alltrue([
      for block in concat(var.vpc.patroni_cidr_blocks, coalesce(var.vpc.https_cidr_blocks, [])) : can(cidrhost(block, 0))
    ]), false)
    error_message = "`vpc.patroni_cidr_blocks` and `vpc.https_cidr_blocks` must have CIDR blocks, such as 10.0.1.0/24; a single address is 10.0.1.11/32."
  }

  validation {
    condition     = var.vpc == null || try(var.vpc.patroni_port >= 1 && var.vpc.patroni_port <= 65535, false)
    error_message = "`vpc.patroni_port` must be a port from 1 to 65535."
  }
}

variable "endpoints" {
  description = "VPC endpoints to create, so that no NAT is needed: `elasticloadbalancing`, `sns`, `route53`, `ec2`, `sts`, `logs`, `sqs` (interfaces) and `dynamodb` (a gateway, which requires `route_table_ids`). Lambda itself writes the log and the failure queue without endpoints; `logs` and `sqs` are for other programs in the VPC."
  type = object({
    services        = set(string)
    route_table_ids = optional(list(string), [])
  })
  default = { services = [] }

  validation {
    condition     = length(setsubtract(var.endpoints.services, ["elasticloadbalancing", "sns", "route53", "ec2", "sts", "logs", "sqs", "dynamodb"])) == 0
    error_message = "`endpoints.services` may contain elasticloadbalancing, sns, route53, ec2, sts, logs, sqs and dynamodb."
  }

  validation {
    condition     = !contains(var.endpoints.services, "dynamodb") || length(var.endpoints.route_table_ids) > 0
    error_message = "The endpoint of dynamodb is a gateway, reached by routes: set `endpoints.route_table_ids` to the route tables of the function's subnets."
  }
}

variable "alarms_enabled" {
  description = "Whether CloudWatch alarms are created."
  type        = bool
  default     = true
}

variable "metric_alarms_enabled" {
  description = "Whether there are alarms on the metrics of the clusters, too: no primary, a critical condition, held for 10 minutes. `repoint` itself publishes alerts on these; the alarms are for where alarms are collected. $0.10 a month for each."
  type        = bool
  default     = false
}

variable "dashboard_enabled" {
  description = "Whether a CloudWatch dashboard is created, `NAME-REGION`. $3 a month, beyond the three that an account has free."
  type        = bool
  default     = false
}

variable "alarm_actions" {
  description = "Additional actions of the alarms, besides the alert topic: ARNs in this Region."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for arn in var.alarm_actions : startswith(arn, "arn:")])
    error_message = "`alarm_actions` must have ARNs."
  }
}

variable "no_success_minutes" {
  description = "Minutes without a successful invocation after which an alarm is raised; 0 means never. A failover in such a time is not followed."
  type        = number
  default     = 5

  validation {
    condition     = var.no_success_minutes >= 0 && var.no_success_minutes <= 1440 && floor(var.no_success_minutes) == var.no_success_minutes
    error_message = "`no_success_minutes` must be a whole number from 0 to 1440."
  }
}

variable "tags" {
  description = "Tags of everything that is created."
  type        = map(string)
  default     = {}
}
