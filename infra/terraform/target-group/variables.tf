variable "name" {
  description = "Name of the group."
  type        = string

  validation {
    condition     = can(regex("^[A-Za-z0-9]([A-Za-z0-9-]{0,30}[A-Za-z0-9])?$", var.name))
    error_message = "A target group's name must have at most 32 letters, digits and hyphens, and must not begin or end with a hyphen."
  }
}

variable "vpc_id" {
  description = "Id of the load balancer's VPC."
  type        = string
}

variable "strategy" {
  description = "The strategy in `repoint.toml`: `exclusive`, `warm` or `weighted`. It determines the health check."
  type        = string
  default     = "exclusive"

  validation {
    condition     = contains(["exclusive", "warm", "weighted"], var.strategy)
    error_message = "`strategy` must be `exclusive`, `warm` or `weighted`, as in repoint.toml."
  }
}

variable "role" {
  description = "The role in `repoint.toml`: `writer` or `reader`."
  type        = string
  default     = "writer"

  validation {
    condition     = contains(["writer", "reader"], var.role)
    error_message = "`role` must be `writer` or `reader`, as in repoint.toml."
  }
}

variable "target_type" {
  description = "`ip` registers members' addresses, `instance` their EC2 instances."
  type        = string
  default     = "ip"

  validation {
    condition     = contains(["ip", "instance"], var.target_type)
    error_message = "`target_type` must be `ip` or `instance`."
  }
}

variable "port" {
  description = "PostgreSQL's port, or that of the pooler in front of it."
  type        = number
  default     = 5432

  validation {
    condition     = var.port >= 1 && var.port <= 65535
    error_message = "`port` must be from 1 to 65535."
  }
}

variable "patroni_port" {
  description = "The port of Patroni's REST API, for the health check of a warm group."
  type        = number
  default     = 8008

  validation {
    condition     = var.patroni_port >= 1 && var.patroni_port <= 65535
    error_message = "`patroni_port` must be from 1 to 65535."
  }
}

variable "deregistration_delay_seconds" {
  description = "How long connections to a deregistered target may continue before they are cut."
  type        = number
  default     = 5

  validation {
    condition     = var.deregistration_delay_seconds >= 0 && var.deregistration_delay_seconds <= 3600
    error_message = "`deregistration_delay_seconds` must be from 0 to 3600."
  }
}

variable "tags" {
  description = "Tags of the group."
  type        = map(string)
  default     = {}
}
