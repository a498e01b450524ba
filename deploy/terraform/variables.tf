variable "name" {
  description = "The name of the pair, of the Auto Scaling group, and in reports"
  type        = string
  default     = "token-server"
}

variable "region" {
  type = string
}

variable "subnet_id" {
  # With an Auto Scaling group, also EC2 Auto Scaling.
  description = "The subnet of the license interface and the instances. It must reach S3 and Systems Manager"
  type        = string
}

variable "private_ip" {
  description = "The permanent private address of the license interface. If null, EC2 chooses one"
  type        = string
  default     = null
}

variable "elastic_ip" {
  description = "Whether clients connect over the internet. The subnet then needs a route to an internet gateway"
  type        = bool
  default     = false
}

variable "client_cidr" {
  description = "The IPv4 range of the clients, such as 10.0.0.0/16"
  type        = string
}

variable "lmgrd_port" {
  description = "The last number on the SERVER line of the license file"
  type        = number
  default     = 27007
}

variable "vendor_port" {
  description = "The port on the VENDOR line of the license file"
  type        = number
  default     = 27008
}

variable "instances" {
  description = "Who launches the instances: two-instances, auto-scaling-group, or both on the way from one to the other"
  type        = string
  default     = "two-instances"

  validation {
    condition     = contains(["two-instances", "both", "auto-scaling-group"], var.instances)
    error_message = "The value must be two-instances, both or auto-scaling-group."
  }
}

variable "instance_type" {
  description = "An x86_64 instance type that allows two network interfaces"
  type        = string
  default     = "t3.small"
}

variable "mosek_files_bucket" {
  description = "The bucket with deploy/boot, the archive of MOSEK and mosek.lic"
  type        = string
}

variable "mosek_files_prefix" {
  type    = string
  default = "token-server"
}

variable "license_hostid" {
  # Not the MAC address of the resource: token-failover compares the two.
  description = "The hostid on the SERVER line of the license file, once you have it"
  type        = string
  default     = ""
}

variable "license_expires" {
  description = "The last valid day of the license, such as 2031-12-31"
  type        = string
  default     = ""
}

variable "token_failover_template_url" {
  description = "The packaged template in S3. Use a new key for each version of token-failover"
  type        = string
}

variable "notification_email" {
  type = string
}

variable "second_notification_email" {
  type    = string
  default = ""
}
