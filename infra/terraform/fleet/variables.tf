variable "bundle" {
  description = "The fleet's configuration and what follows from it: `file(\"bundle.json\")`, as for the module that makes the function."
  type        = string

  validation {
    condition     = try(jsondecode(var.bundle).bundle == 1 && length(jsondecode(var.bundle).clusters) > 0, false)
    error_message = "`bundle` is not a bundle for this module. Create it with the `repoint` of the same version, `repoint bundle --config repoint.toml > bundle.json`, and set `bundle = file(\"bundle.json\")`."
  }
}

variable "prefix" {
  description = "How the names of all clusters, target groups, load balancers of weighted groups, and records begin. The function may change what begins so: a policy with every name would exceed IAM's limit."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9._-]+$", var.prefix))
    error_message = "`prefix` must have lower-case letters, digits, hyphens, dots and underscores, such as `pg-`."
  }
}

variable "limit_percent" {
  description = "How much of AWS's request limits the fleet may use, in percent. Less than 90 if other programs ask Elastic Load Balancing in the same account and Region; more than 100 if AWS has raised the limits."
  type        = number
  default     = 90

  validation {
    condition     = var.limit_percent >= 1 && floor(var.limit_percent) == var.limit_percent
    error_message = "`limit_percent` must be a whole number from 1."
  }
}

variable "minutes_per_shard" {
  description = "How long an invocation checks its shard, in minutes. It becomes the function's timeout."
  type        = number
  default     = 5

  validation {
    condition     = contains([2, 3, 4, 5, 6, 10, 12], var.minutes_per_shard)
    error_message = "`minutes_per_shard` must be 2, 3, 4, 5, 6, 10 or 12: whole parts of an hour, and less than the 15 minutes that Lambda allows."
  }
}

variable "shards_at_once" {
  description = "How many shards are checked at the same time."
  type        = number
  default     = 2

  validation {
    condition     = var.shards_at_once >= 1 && floor(var.shards_at_once) == var.shards_at_once
    error_message = "`shards_at_once` must be a whole number from 1."
  }
}

variable "callbacks_at_once" {
  description = "How many batches of callbacks are handled at the same time."
  type        = number
  default     = 2

  validation {
    condition     = var.callbacks_at_once >= 2 && floor(var.callbacks_at_once) == var.callbacks_at_once
    error_message = "`callbacks_at_once` must be a whole number from 2, which is the least that Lambda accepts of a queue."
  }
}

variable "clusters_per_shard" {
  description = "How many clusters a shard has at most. Null means as many as AWS's limits let an invocation check."
  type        = number
  default     = null

  validation {
    condition     = var.clusters_per_shard == null || try(var.clusters_per_shard >= 1 && floor(var.clusters_per_shard) == var.clusters_per_shard, false)
    error_message = "`clusters_per_shard` must be a whole number from 1, or null."
  }
}

variable "round_minutes_at_most" {
  description = "How many minutes may pass at most until every cluster has been checked again. It is how long a change that no callback has announced stays uncorrected."
  type        = number
  default     = 60
}
