# What is given rather than made comes as an object. Whether it is there is then known when planning, although its ARN
# may not be.

variable "name" {
  description = "Names everything that is made. Two instances in one Region need two names."
  type        = string
  default     = "repoint"

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,29}$", var.name))
    error_message = "`name` becomes part of the names of roles, topics and more: begin with a lower-case letter, go on with letters, digits and hyphens, and stop at 30 characters."
  }
}

variable "zip" {
  description = "The path of the function's zip, which holds the binary `bootstrap`: `cargo lambda build --release --output-format zip --package repoint-lambda` leaves it in `target/lambda/bootstrap/bootstrap.zip`. Or else `zip_in_s3`."
  type        = string
  default     = null

  validation {
    condition     = var.zip == null || try(fileexists(var.zip), false)
    error_message = "There is no file `${coalesce(var.zip, "null")}`. Build it with `cargo lambda build --release --output-format zip --package repoint-lambda`, or zip the binary `bootstrap`, and give its path as `zip`."
  }
}

variable "zip_in_s3" {
  description = "The function's zip in an S3 bucket of the function's Region, instead of `zip`. Give each build a key or a `version` of its own, or a change is not seen."
  type        = object({ bucket = string, key = string, version = optional(string) })
  default     = null

  validation {
    condition     = var.zip_in_s3 == null || can(regex("^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$", var.zip_in_s3.bucket))
    error_message = "`zip_in_s3.bucket` is the name of an S3 bucket, without s3://."
  }
}

variable "architecture" {
  description = "What the zip was built for: `x86_64`, or `arm64` (`cargo lambda build --arm64`)."
  type        = string
  default     = "x86_64"

  validation {
    condition     = contains(["x86_64", "arm64"], var.architecture)
    error_message = "`architecture` is `x86_64` or `arm64`, whichever the zip was built for."
  }
}

variable "bundle" {
  description = "The configuration, and what follows from it, as `repoint bundle --config repoint.toml > bundle.json` prints it: `file(\"bundle.json\")`. The configuration becomes the function's environment, unless a layer holds it; the policy is what its role may do."
  type        = string

  validation {
    condition     = try(jsondecode(var.bundle).bundle == 1 && length(jsondecode(var.bundle).clusters) > 0, false)
    error_message = "`bundle` is none that this module reads. Make it with the `repoint` of the same version, `repoint bundle --config repoint.toml > bundle.json`, and give its text: `bundle = file(\"bundle.json\")`."
  }
}

variable "configuration_layer" {
  description = "A layer (the ARN of one version) that has `repoint.toml` at its top, for a configuration that is too long for Lambda's 4 KB of environment. `bundle` is made of the same file."
  type        = object({ arn = string })
  default     = null

  validation {
    condition     = var.configuration_layer == null || can(regex("^arn:[a-z-]+:lambda:[a-z0-9-]+:[0-9]{12}:layer:[A-Za-z0-9_-]+:[0-9]+$", var.configuration_layer.arn))
    error_message = "`configuration_layer.arn` is the ARN of a layer's version, which ends in a number: arn:aws:lambda:us-east-1:123456789012:layer:repoint-configuration:1."
  }
}

variable "role" {
  description = "The function's role, if it is yours. The module then makes none and changes nothing of it: it must trust `lambda.amazonaws.com`, and allow what the output `role_policies` says. Null makes one, `NAME-REGION`."
  type        = object({ arn = string })
  default     = null

  validation {
    condition     = var.role == null || can(regex("^arn:[a-z-]+:iam::[0-9]{12}:role/[A-Za-z0-9+=,.@_/-]+$", var.role.arn))
    error_message = "`role.arn` is the ARN of a role, such as arn:aws:iam::123456789012:role/repoint."
  }
}

variable "schedule_role" {
  description = "The schedules' role, if it is yours: it must trust `scheduler.amazonaws.com`, and allow `lambda:InvokeFunction` on the function and `sqs:SendMessage` on the failure queue. Null makes one, `NAME-REGION-schedule`."
  type        = object({ arn = string })
  default     = null

  validation {
    condition     = var.schedule_role == null || can(regex("^arn:[a-z-]+:iam::[0-9]{12}:role/[A-Za-z0-9+=,.@_/-]+$", var.schedule_role.arn))
    error_message = "`schedule_role.arn` is the ARN of a role, such as arn:aws:iam::123456789012:role/repoint-schedule."
  }
}

variable "role_path" {
  description = "The path of the roles that are made."
  type        = string
  default     = "/"

  validation {
    condition     = can(regex("^/([!-~]{1,510}/)?$", var.role_path))
    error_message = "`role_path` begins and ends with a slash, such as /service/."
  }
}

variable "permissions_boundary" {
  description = "The permissions boundary of the roles that are made: a managed policy that nothing beyond is allowed to them."
  type        = object({ arn = string })
  default     = null

  validation {
    condition     = var.permissions_boundary == null || can(regex("^arn:[a-z-]+:iam::([0-9]{12}|aws):policy/[A-Za-z0-9+=,.@_/-]+$", var.permissions_boundary.arn))
    error_message = "`permissions_boundary.arn` is the ARN of a managed policy, such as arn:aws:iam::123456789012:policy/boundary."
  }
}

variable "environment" {
  description = "More variables of the function's environment, such as `HTTPS_PROXY`. What `repoint` itself reads stands in `repoint.toml`."
  type        = map(string)
  default     = {}

  validation {
    condition     = alltrue([for name in keys(var.environment) : can(regex("^[A-Za-z][A-Za-z0-9_]*$", name)) && !can(regex("^(REPOINT_|AWS_LAMBDA_)", name))])
    error_message = "`environment` has variables that begin with a letter and go on with letters, digits and `_`. Those that begin with REPOINT_ belong into repoint.toml, of which `bundle` is made, or are `log_filter`; those that begin with AWS_LAMBDA_ are Lambda's own."
  }
}

variable "layers" {
  description = "More layers (the ARNs of versions), such as an extension of your observability."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for arn in var.layers : can(regex("^arn:[a-z-]+:lambda:[a-z0-9-]+:[0-9]{12}:layer:[A-Za-z0-9_-]+:[0-9]+$", arn))])
    error_message = "`layers` holds the ARNs of layers' versions, which end in a number: arn:aws:lambda:us-east-1:123456789012:layer:telemetry:1."
  }
}

variable "function_version" {
  description = "The version that schedules and callbacks call: null for the newest. Each apply that changes code or configuration publishes one; a rollback is an earlier one, such as `\"3\"`."
  type        = string
  default     = null

  validation {
    condition     = var.function_version == null || can(regex("^[1-9][0-9]*$", var.function_version))
    error_message = "`function_version` is the number of a published version, such as \"3\": aws lambda list-versions-by-function."
  }
}

variable "log_filter" {
  description = "`REPOINT_LOG`: a level (`error`, `warn`, `info`, `debug`, `trace`), or a filter such as `error,repoint=debug`."
  type        = string
  default     = null

  validation {
    condition     = var.log_filter == null || can(regex("^[A-Za-z0-9_:=,\\[\\]{}.-]+$", var.log_filter))
    error_message = "`log_filter` is a level such as `debug`, or a filter such as `error,repoint=debug`."
  }
}

variable "memory_mb" {
  description = "The function's memory. It gets CPU in proportion, and a TLS handshake takes a small one most of a second."
  type        = number
  default     = 512

  validation {
    condition     = var.memory_mb >= 128 && var.memory_mb <= 10240 && floor(var.memory_mb) == var.memory_mb
    error_message = "`memory_mb` is a whole number from 128 to 10240."
  }
}

variable "timeout_seconds" {
  description = "How long an invocation may take. A pass ends before that, and after `pass.deadline_seconds`."
  type        = number
  default     = 60

  validation {
    condition     = var.timeout_seconds >= 5 && var.timeout_seconds <= 900 && floor(var.timeout_seconds) == var.timeout_seconds
    error_message = "`timeout_seconds` is a whole number from 5 to 900."
  }
}

variable "reserved_concurrency" {
  description = "How many invocations may run at once; 0 stops the function. Null shares the account's unreserved ones. Memory keeps passes apart, so 1 is not needed for safety; it keeps a fleet's passes from using up AWS's request limits twice."
  type        = number
  default     = null

  validation {
    condition     = var.reserved_concurrency == null || try(var.reserved_concurrency >= 0 && floor(var.reserved_concurrency) == var.reserved_concurrency, false)
    error_message = "`reserved_concurrency` is a whole number, or null. AWS wants 100 of the account's to stay unreserved."
  }
}

variable "triggers_enabled" {
  description = "Whether the schedules and the topic call the function. With `false` everything is made and nothing is moved: for a first `{\"dry_run\": true}` by hand."
  type        = bool
  default     = true
}

variable "schedules" {
  description = "When to look although nobody called, by name. `clusters` are the scopes to look at, all of them if it is empty; a fleet is parted by several schedules."
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
    error_message = "A schedule's `expression` is `rate(1 minute)`, `rate(5 minutes)`, or `cron(…)` with six fields: minutes, hours, day of the month, month, day of the week, year."
  }

  validation {
    condition     = alltrue([for name in keys(var.schedules) : can(regex("^[A-Za-z0-9_.-]{1,30}$", name))])
    error_message = "A schedule's name has up to 30 letters, digits, `-`, `_` and `.`."
  }
}

variable "trigger_topic" {
  description = "The SNS topic that Patroni's callbacks publish to (`callback.sns_topic_arn`). Null makes one, `NAME-look`."
  type        = object({ arn = string })
  default     = null

  validation {
    condition     = var.trigger_topic == null || can(regex("^arn:[a-z-]+:sns:[a-z0-9-]+:[0-9]{12}:[A-Za-z0-9_-]+$", var.trigger_topic.arn))
    error_message = "`trigger_topic.arn` is the ARN of a standard SNS topic, such as arn:aws:sns:us-east-1:123456789012:repoint-look; FIFO topics cannot call a function."
  }
}

variable "alert_topic" {
  description = "The SNS topic that people are told through (`alerts.sns_topic_arn`), by `repoint` and by the alarms. Null makes one, `NAME-alerts`."
  type        = object({ arn = string })
  default     = null

  validation {
    condition     = var.alert_topic == null || can(regex("^arn:[a-z-]+:sns:[a-z0-9-]+:[0-9]{12}:[A-Za-z0-9_-]+$", var.alert_topic.arn))
    error_message = "`alert_topic.arn` is the ARN of a standard SNS topic, such as arn:aws:sns:us-east-1:123456789012:db-alerts."
  }
}

variable "table" {
  description = "The DynamoDB table that memory is kept in (`state.dynamodb_table`), with the key `scope` of type S. Null makes one, `NAME`. A given one must be in the function's Region."
  type        = object({ name = string })
  default     = null

  validation {
    condition     = var.table == null || can(regex("^[A-Za-z0-9_.-]{3,255}$", var.table.name))
    error_message = "`table.name` is the name of a DynamoDB table, not its ARN."
  }
}

variable "table_deletion_protection" {
  description = "Whether the table that is made refuses to be deleted. Without its state `repoint` adopts each cluster anew, and no longer knows which timelines are past."
  type        = bool
  default     = true
}

variable "failure_queue" {
  description = "The SQS queue for invocations that failed for good, and for callbacks that SNS could not deliver: its policy must let `sns.amazonaws.com` send for the trigger topic. Null makes one, `NAME-failures`."
  type        = object({ arn = string })
  default     = null

  validation {
    condition     = var.failure_queue == null || can(regex("^arn:[a-z-]+:sqs:[a-z0-9-]+:[0-9]{12}:[A-Za-z0-9_-]+$", var.failure_queue.arn))
    error_message = "`failure_queue.arn` is the ARN of a standard SQS queue, such as arn:aws:sqs:us-east-1:123456789012:repoint-failures."
  }
}

variable "kms_key" {
  description = "A KMS key for the environment, the log, the topics, the table, the queue and the schedules that are made. Null leaves each to AWS's own keys, and the topics unencrypted at rest. See \"A key of your own\"."
  type        = object({ arn = string })
  default     = null

  validation {
    condition     = var.kms_key == null || can(regex("^arn:[a-z-]+:kms:[a-z0-9-]+:[0-9]{12}:key/[A-Za-z0-9-]+$", var.kms_key.arn))
    error_message = "`kms_key.arn` is the ARN of a key, not of an alias: arn:aws:kms:us-east-1:123456789012:key/0f5e3c1a-…"
  }
}

variable "log_retention_days" {
  description = "How long CloudWatch keeps the log; 0 keeps it for ever."
  type        = number
  default     = 30

  validation {
    condition = contains(
      [0, 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653],
      var.log_retention_days
    )
    error_message = "CloudWatch takes 0 (for ever), 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288 or 3653 days."
  }
}

variable "log_group_class" {
  description = "The log's class: `STANDARD`, which null means too, or `INFREQUENT_ACCESS`, which costs half and has no metric filters and no live tail. It cannot be changed later."
  type        = string
  default     = null

  validation {
    condition     = var.log_group_class == null || try(contains(["STANDARD", "INFREQUENT_ACCESS"], var.log_group_class), false)
    error_message = "`log_group_class` is `STANDARD` or `INFREQUENT_ACCESS`."
  }
}

variable "vpc" {
  description = "Where the function stands to reach Patroni. `patroni_cidr_blocks` and `patroni_security_group_ids` say where the members are. `open_patroni_security_groups` also lets the function in there, by a rule in each of those groups. `https_cidr_blocks` is where AWS is reached: everywhere by default, and only the endpoints if `endpoints` are made. Null leaves the function outside of any VPC."
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
    error_message = "`vpc.subnet_ids` is empty: name a private subnet in each Availability Zone that the function shall survive the others in."
  }

  validation {
    condition     = var.vpc == null || try(length(var.vpc.patroni_cidr_blocks) + length(var.vpc.patroni_security_group_ids) > 0, false)
    error_message = "Nothing says where Patroni is: give `vpc.patroni_cidr_blocks` (the subnets of the members) or `vpc.patroni_security_group_ids`."
  }

  validation {
    condition = var.vpc == null || try(alltrue([
      for block in concat(var.vpc.patroni_cidr_blocks, coalesce(var.vpc.https_cidr_blocks, [])) : can(cidrhost(block, 0))
    ]), false)
    error_message = "`vpc.patroni_cidr_blocks` and `vpc.https_cidr_blocks` hold CIDR blocks, such as 10.0.1.0/24; a single address is 10.0.1.11/32."
  }

  validation {
    condition     = var.vpc == null || try(var.vpc.patroni_port >= 1 && var.vpc.patroni_port <= 65535, false)
    error_message = "`vpc.patroni_port` is the port of Patroni's REST API, from 1 to 65535."
  }
}

variable "endpoints" {
  description = "VPC endpoints to make, so that no NAT is needed: of `elasticloadbalancing`, `sns`, `route53`, `ec2`, `sts`, `logs`, `sqs` (interfaces) and `dynamodb` (a gateway, which wants `route_table_ids`). The log and the failure queue are written by Lambda itself and need none; `logs` and `sqs` are for others in the VPC."
  type = object({
    services        = set(string)
    route_table_ids = optional(list(string), [])
  })
  default = { services = [] }

  validation {
    condition     = length(setsubtract(var.endpoints.services, ["elasticloadbalancing", "sns", "route53", "ec2", "sts", "logs", "sqs", "dynamodb"])) == 0
    error_message = "`endpoints.services` may hold elasticloadbalancing, sns, route53, ec2, sts, logs, sqs and dynamodb."
  }

  validation {
    condition     = !contains(var.endpoints.services, "dynamodb") || length(var.endpoints.route_table_ids) > 0
    error_message = "The endpoint of dynamodb is a gateway, reached by routes: name the route tables of the function's subnets in `endpoints.route_table_ids`."
  }
}

variable "alarms_enabled" {
  description = "Whether CloudWatch watches the function."
  type        = bool
  default     = true
}

variable "alarm_actions" {
  description = "Who else hears of the alarms, beside the alert topic: ARNs of this Region."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for arn in var.alarm_actions : startswith(arn, "arn:")])
    error_message = "`alarm_actions` holds ARNs."
  }
}

variable "no_success_minutes" {
  description = "For how many minutes no invocation may succeed before that is an alarm; 0 for never. A failover in such a time is not followed."
  type        = number
  default     = 5

  validation {
    condition     = var.no_success_minutes >= 0 && var.no_success_minutes <= 1440 && floor(var.no_success_minutes) == var.no_success_minutes
    error_message = "`no_success_minutes` is a whole number from 0 to 1440."
  }
}

variable "tags" {
  description = "Tags for everything that is made."
  type        = map(string)
  default     = {}
}
