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
  description = "The path of the function's zip, which holds the binary `bootstrap`: `cargo lambda build --release --output-format zip --package repoint-lambda` leaves it in `target/lambda/bootstrap/bootstrap.zip`."
  type        = string

  validation {
    condition     = fileexists(var.zip)
    error_message = "There is no file `${var.zip}`. Build it with `cargo lambda build --release --output-format zip --package repoint-lambda`, or zip the binary `bootstrap`, and give its path as `zip`."
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

variable "configuration" {
  description = "The text of `repoint.toml`: `file(\"repoint.toml\")`. It becomes the function's environment, unless a layer holds it; it is checked in both cases."
  type        = string

  validation {
    condition     = can(regex("(?m)^[ \\t]*(\\[\\[[ \\t]*cluster[ \\t]*\\]\\]|cluster[ \\t]*=)", var.configuration))
    error_message = "The configuration has no `[[cluster]]`. Give the text of repoint.toml, not its path: `configuration = file(\"repoint.toml\")`; and see what `repoint check` says of it."
  }
}

variable "configuration_layer" {
  description = "A layer (the ARN of one version) that has `repoint.toml` at its top, for a configuration that is too long for Lambda's 4 KB of environment. Give the same text as `configuration`."
  type        = object({ arn = string })
  default     = null

  validation {
    condition     = var.configuration_layer == null || can(regex("^arn:[a-z-]+:lambda:[a-z0-9-]+:[0-9]{12}:layer:[A-Za-z0-9_-]+:[0-9]+$", var.configuration_layer.arn))
    error_message = "`configuration_layer.arn` is the ARN of a layer's version, which ends in a number: arn:aws:lambda:us-east-1:123456789012:layer:repoint-configuration:1."
  }
}

variable "policy" {
  description = "What the function may do, as `repoint iam --config repoint.toml > policy.json` prints it for exactly this configuration: `file(\"policy.json\")`."
  type        = string

  validation {
    condition     = can(length(jsondecode(var.policy).Statement) > 0)
    error_message = "`policy` is no IAM policy in JSON. Make it with `repoint iam --config repoint.toml > policy.json`, and give its text: `policy = file(\"policy.json\")`."
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
  description = "Whether the table that is made refuses to be deleted. Without memory `repoint` adopts each cluster anew, and no longer knows which timelines are past."
  type        = bool
  default     = false
}

variable "failure_queue" {
  description = "The SQS queue for invocations that failed for good. Null makes one, `NAME-failures`."
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
  description = "VPC endpoints to make, so that no NAT is needed: of `elasticloadbalancing`, `sns`, `route53`, `ec2`, `logs`, `sqs` (interfaces) and `dynamodb` (a gateway, which wants `route_table_ids`). The log and the failure queue are written by Lambda itself and need none; `logs` and `sqs` are for others in the VPC."
  type = object({
    services        = set(string)
    route_table_ids = optional(list(string), [])
  })
  default = { services = [] }

  validation {
    condition     = length(setsubtract(var.endpoints.services, ["elasticloadbalancing", "sns", "route53", "ec2", "logs", "sqs", "dynamodb"])) == 0
    error_message = "`endpoints.services` may hold elasticloadbalancing, sns, route53, ec2, logs, sqs and dynamodb."
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
