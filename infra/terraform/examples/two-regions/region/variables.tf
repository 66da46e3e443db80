variable "cidr_block" {
  description = "Addresses of this Region's network."
  type        = string
}

variable "other_block" {
  description = "Addresses of the other Region's network."
  type        = string
}

variable "members" {
  description = "Addresses of all members, by their names in Patroni."
  type        = map(string)
}

variable "remote_members" {
  description = "Names of those in the other Region."
  type        = set(string)
}

variable "image_id" {
  description = "Image of the HAProxies."
  type        = string
}

variable "package" {
  description = "Package that the HAProxies install."
  type        = object({ url = string, sha256 = string })
}

variable "zone_id" {
  description = "Id of the zone."
  type        = string
}

variable "bundle" {
  description = "Output of `repoint bundle` with stand-ins."
  type        = string
}

variable "zip" {
  description = "Path of the function's zip."
  type        = string
}

variable "architecture" {
  description = "Architecture that the zip was built for."
  type        = string
}

variable "triggers_enabled" {
  description = "Whether the function is called."
  type        = bool
}

variable "deletion_protection" {
  description = "Whether the load balancer and the state table are protected."
  type        = bool
}
