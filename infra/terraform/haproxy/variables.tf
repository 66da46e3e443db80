variable "name" {
  description = "Name of everything that is created. Two instances of the module in one Region need different names."
  type        = string
  default     = "repoint-haproxy"

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,23}[a-z0-9]$", var.name))
    error_message = "`name` becomes part of the names of target groups, which have at most 32 characters: it must begin with a lower-case letter, continue with letters, digits and hyphens, not end with a hyphen, and have at most 25 characters."
  }
}

variable "scope" {
  description = "Patroni's scope."
  type        = string
}

variable "members" {
  description = "Addresses of the members, by their names in Patroni. Each gets a server. A member that comes later gets one for writes from `repoint`, and for reads when it is listed here."
  type        = map(string)

  validation {
    condition     = length(var.members) > 0 && alltrue([for name, address in var.members : can(regex("^[A-Za-z0-9_.:-]+$", name)) && can(regex("^[A-Za-z0-9.-]+$", address))])
    error_message = "`members` must have at least one member, by its name in Patroni, with an IPv4 address or a host name: { pg1 = \"10.0.1.11\" }."
  }
}

variable "remote_members" {
  description = "Names of the members in another Region: reads go there only while no replica of this Region is up."
  type        = set(string)
  default     = []
}

variable "vpc_id" {
  description = "Id of the VPC."
  type        = string
}

variable "subnet_ids" {
  description = "Ids of the instances' subnets, in different Availability Zones."
  type        = list(string)

  validation {
    condition     = length(var.subnet_ids) > 1
    error_message = "`subnet_ids` must have subnets in at least two Availability Zones: HAProxy is to outlast the loss of one."
  }
}

variable "load_balancer_arn" {
  description = "ARN of the Network Load Balancer that gets the listeners."
  type        = string

  validation {
    condition     = can(regex("^arn:[a-z-]+:elasticloadbalancing:[a-z0-9-]+:[0-9]{12}:loadbalancer/net/.+$", var.load_balancer_arn))
    error_message = "`load_balancer_arn` must be the ARN of a Network Load Balancer: arn:aws:elasticloadbalancing:us-east-1:123456789012:loadbalancer/net/pg/50dc6c495c0c9188."
  }
}

variable "load_balancer_security_group_id" {
  description = "Id of a security group of the load balancer. It gets rules for outbound traffic to the instances, which let it in."
  type        = string
}

variable "member_cidr_blocks" {
  description = "IPv4 blocks in which members are, in every Region."
  type        = set(string)

  validation {
    condition     = length(var.member_cidr_blocks) > 0 && alltrue([for block in var.member_cidr_blocks : can(cidrnetmask(block))])
    error_message = "`member_cidr_blocks` must have IPv4 blocks, such as 10.0.0.0/16, or 10.0.1.11/32 for one member."
  }
}

variable "install_cidr_blocks" {
  description = "IPv4 blocks to which the instances may connect on the ports 80 and 443, to install packages and to publish alerts."
  type        = set(string)
  default     = ["0.0.0.0/0"]
}

variable "image_id" {
  description = "Id of an image of Debian 12 or later, or of Ubuntu 22.04 or later, with cloud-init."
  type        = string
}

variable "package" {
  description = "Where the instances get the Debian package of `repoint`, over HTTPS and without credentials, and its SHA-256. With it HAProxy is installed, too, from the distribution. Null means that the image has HAProxy, socat and `repoint`."
  type        = object({ url = string, sha256 = string })
  default     = null

  validation {
    condition     = var.package == null || try(can(regex("^https://[^'\\s]+\\.deb$", var.package.url)) && can(regex("^[0-9a-f]{64}$", var.package.sha256)), false)
    error_message = "`package.url` must be the https:// address of a .deb, and `package.sha256` its SHA-256 as 64 hexadecimal digits, as `sha256sum` prints it."
  }
}

variable "instance_type" {
  description = "Type of the instances, of the image's architecture."
  type        = string
  default     = "t3.small"
}

variable "instances" {
  description = "How many instances."
  type        = number
  default     = 2

  validation {
    condition     = var.instances >= 2 && floor(var.instances) == var.instances
    error_message = "`instances` must be a whole number from 2: with one, each replacement interrupts all connections."
  }
}

variable "writer_port" {
  description = "Port for connections to the primary, of the listener and of HAProxy."
  type        = number
  default     = 5000
}

variable "reader_port" {
  description = "Port for connections to replicas, of the listener and of HAProxy."
  type        = number
  default     = 5001
}

variable "postgres_port" {
  description = "The members' port of PostgreSQL, or of the pooler in front of it."
  type        = number
  default     = 5432
}

variable "patroni_port" {
  description = "The members' port of Patroni's REST API, which must be HTTP without TLS."
  type        = number
  default     = 8008
}

variable "alert_topic" {
  description = "The SNS topic that `repoint` on the instances publishes alerts to. Each instance publishes its own. Null means none: then the instances have no rights in AWS at all."
  type        = object({ arn = string })
  default     = null
}

variable "tags" {
  description = "Tags of everything that is created, the instances included."
  type        = map(string)
  default     = {}
}
