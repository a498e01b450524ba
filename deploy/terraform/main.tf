# A pair of token servers with token-failover. docs/infrastructure-as-code.md explains the guards.

terraform {
  required_version = ">= 1.5"
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 6.0"
    }
  }
}

provider "aws" {
  region = var.region
  # token-failover keeps its state in tags of the license interface: a pause, pending reports, the moves of the last hour.
  ignore_tags {
    key_prefixes = ["token-failover:"]
  }
}

locals {
  ports   = { lmgrd = var.lmgrd_port, vendor = var.vendor_port }
  tag     = "token-server=${var.name}"
  files   = "s3://${var.mosek_files_bucket}/${var.mosek_files_prefix}"
  install = <<-EOT
    #!/bin/sh
    set -eu
    aws s3 cp --recursive --only-show-errors "${local.files}/boot" /root/token-server-boot
    sh /root/token-server-boot/install "${local.files}"
  EOT
}

data "aws_subnet" "this" {
  id = var.subnet_id
}

data "aws_partition" "this" {}

data "aws_caller_identity" "this" {}

# The newest image at the launch of an instance.
data "aws_ssm_parameter" "image" {
  name = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64"
}

# ---- The license interface ----

# Nothing here attaches the interface. token-failover does.
resource "aws_network_interface" "license" {
  description     = "License interface of ${var.name}. Its MAC address is the hostid of the license - never delete it."
  subnet_id       = var.subnet_id
  private_ips     = var.private_ip == null ? null : [var.private_ip]
  security_groups = [aws_security_group.license.id]
  tags            = { Name = "${var.name} license" }

  lifecycle {
    prevent_destroy = true
    ignore_changes  = [attachment]
  }
}

resource "aws_eip" "license" {
  count  = var.elastic_ip ? 1 : 0
  domain = "vpc"
  tags   = { Name = "${var.name} license" }

  lifecycle {
    prevent_destroy = true
  }
}

# With the interface, never with an instance: the Elastic IP then moves together with the interface.
resource "aws_eip_association" "license" {
  count                = var.elastic_ip ? 1 : 0
  allocation_id        = aws_eip.license[0].allocation_id
  network_interface_id = aws_network_interface.license.id
}

# ---- The security groups ----

# Without egress rules: a security group always allows answers, and the token server opens no connections.
resource "aws_security_group" "license" {
  name        = "${var.name}-license"
  description = "Clients of the license server ${var.name}"
  vpc_id      = data.aws_subnet.this.vpc_id
  tags        = { Name = "${var.name} license" }

  lifecycle {
    prevent_destroy = true
  }
}

# Resources of their own. With ingress blocks in the group, each apply would remove the rules of a repair of token-failover.
resource "aws_vpc_security_group_ingress_rule" "license" {
  for_each          = local.ports
  security_group_id = aws_security_group.license.id
  description       = each.key
  ip_protocol       = "tcp"
  from_port         = each.value
  to_port           = each.value
  cidr_ipv4         = var.client_cidr
}

resource "aws_security_group" "instances" {
  name        = "${var.name}-instances"
  description = "The instances of ${var.name}, for what is not the license"
  vpc_id      = data.aws_subnet.this.vpc_id
  tags        = { Name = var.name }
}

resource "aws_vpc_security_group_egress_rule" "instances" {
  security_group_id = aws_security_group.instances.id
  description       = "S3, Systems Manager, packages"
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
  cidr_ipv4         = "0.0.0.0/0"
}

# ---- The two instances ----

# They have only their primary interface here, so they are the same before and after a move.
resource "aws_instance" "member" {
  count                       = var.instances == "auto-scaling-group" ? 0 : 2
  ami                         = data.aws_ssm_parameter.image.insecure_value
  instance_type               = var.instance_type
  subnet_id                   = var.subnet_id
  vpc_security_group_ids      = [aws_security_group.instances.id]
  associate_public_ip_address = false
  iam_instance_profile        = aws_iam_instance_profile.instances.name
  user_data                   = local.install
  disable_api_termination     = var.instances == "two-instances"
  tags = merge({ Name = "${var.name} ${count.index + 1}" },
  var.instances == "two-instances" ? {} : { token-server = var.name })

  metadata_options {
    http_endpoint               = "enabled"
    http_tokens                 = "required"
    http_put_response_hop_limit = 1
  }

  # Otherwise EC2 could recover a failed holder while token-failover moves the interface away from it.
  maintenance_options {
    auto_recovery = "disabled"
  }

  root_block_device {
    encrypted   = true
    volume_type = "gp3"
  }

  lifecycle {
    # A new image would replace both token servers, and a change of the user data would stop both.
    ignore_changes = [ami, user_data]
  }

  # The first boot installs MOSEK, and needs all of these.
  depends_on = [
    aws_iam_role_policy.mosek_files,
    aws_iam_role_policy_attachment.systems_manager,
    aws_vpc_security_group_egress_rule.instances,
  ]
}

resource "aws_iam_instance_profile" "instances" {
  name_prefix = "${var.name}-"
  role        = aws_iam_role.instances.name
}

resource "aws_iam_role" "instances" {
  name_prefix = "${var.name}-"
  description = "Instances of ${var.name} - Systems Manager, and MOSEK's files"
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "ec2.${data.aws_partition.this.dns_suffix}" }
      Action    = "sts:AssumeRole"
    }]
  })
}

resource "aws_iam_role_policy_attachment" "systems_manager" {
  role       = aws_iam_role.instances.name
  policy_arn = "arn:${data.aws_partition.this.partition}:iam::aws:policy/AmazonSSMManagedInstanceCore"
}

resource "aws_iam_role_policy" "mosek_files" {
  name = "mosek-files"
  role = aws_iam_role.instances.name
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Effect   = "Allow"
        Action   = "s3:GetObject"
        Resource = "arn:${data.aws_partition.this.partition}:s3:::${var.mosek_files_bucket}/${var.mosek_files_prefix}/*"
      },
      {
        Effect    = "Allow"
        Action    = "s3:ListBucket"
        Resource  = "arn:${data.aws_partition.this.partition}:s3:::${var.mosek_files_bucket}"
        Condition = { StringLike = { "s3:prefix" = "${var.mosek_files_prefix}/*" } }
      },
    ]
  })
}

# ---- token-failover ----

resource "aws_cloudformation_stack" "token_failover" {
  name         = "token-failover-${var.name}"
  template_url = var.token_failover_template_url
  capabilities = ["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"]

  parameters = {
    TokenServerInterfaceId          = aws_network_interface.license.id
    TokenServerInstanceIds          = var.instances == "two-instances" ? join(",", aws_instance.member[*].id) : ""
    TokenServerMembers              = var.instances == "two-instances" ? "" : local.tag
    TokenServerName                 = var.name
    TokenServerHostid               = var.license_hostid
    TokenServerLicenseExpires       = var.license_expires
    TokenServerAllocationId         = var.elastic_ip ? aws_eip.license[0].allocation_id : ""
    TokenServerDeviceIndex          = "1"
    TokenServerPorts                = "${var.lmgrd_port},${var.vendor_port}"
    TokenServerClients              = var.client_cidr
    TokenServerSecurityGroupId      = aws_security_group.license.id
    TokenServerLicenseCheckDocument = "check-license"
    NotificationEmail               = var.notification_email
    SecondNotificationEmail         = var.second_notification_email
  }
}

# ---- Outputs ----

output "mac_address" {
  description = "The MAC address, which support@mosek.com needs for the license"
  value       = aws_network_interface.license.mac_address
}

output "private_ip" {
  description = "The address of the token server for clients in the VPC"
  value       = aws_network_interface.license.private_ip
}

output "public_ip" {
  description = "The address of the token server for clients outside of the VPC"
  value       = one(aws_eip.license[*].public_ip)
}

output "function" {
  description = "The name of the function"
  value       = aws_cloudformation_stack.token_failover.outputs["FunctionName"]
}
