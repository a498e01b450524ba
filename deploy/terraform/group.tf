# An Auto Scaling group in place of the two instances, with instances = "auto-scaling-group". It is the group of
# deploy/pair.yaml, where the comments say why.

locals {
  has_group = var.instances != "two-instances"
}

resource "aws_launch_template" "group" {
  count       = local.has_group ? 1 : 0
  name_prefix = "${var.name}-"
  # A parameter, so that EC2 chooses the newest image at each launch, and a new image changes nothing here.
  image_id      = "resolve:ssm:${data.aws_ssm_parameter.image.name}"
  instance_type = var.instance_type

  iam_instance_profile {
    arn = aws_iam_instance_profile.instances.arn
  }

  # The license interface is never in the template, because only one instance can have it.
  network_interfaces {
    device_index                = 0
    associate_public_ip_address = "false"
    security_groups             = [aws_security_group.instances.id]
    delete_on_termination       = "true"
  }

  block_device_mappings {
    device_name = "/dev/xvda"
    ebs {
      encrypted             = "true"
      volume_type           = "gp3"
      delete_on_termination = "true"
    }
  }

  metadata_options {
    http_endpoint               = "enabled"
    http_tokens                 = "required"
    http_put_response_hop_limit = 1
  }

  maintenance_options {
    auto_recovery = "disabled"
  }

  # Only an instance with MOSEK enters service.
  user_data = base64encode(<<-EOT
    ${local.install}
    test -x /opt/token-server/lmgrd
    aws autoscaling complete-lifecycle-action --region ${var.region} --auto-scaling-group-name ${var.name} \
      --lifecycle-hook-name installed --lifecycle-action-result CONTINUE --instance-id "$(cloud-init query instance_id)"
  EOT
  )
}

resource "aws_autoscaling_group" "group" {
  count                     = local.has_group ? 1 : 0
  name                      = var.name
  vpc_zone_identifier       = [var.subnet_id]
  min_size                  = 2
  desired_capacity          = 2
  max_size                  = 3
  health_check_type         = "EBS"
  health_check_grace_period = 300
  default_instance_warmup   = 300
  # The instances enter service only after their installation. An apply does not wait for that.
  wait_for_capacity_timeout = "0"

  # Without an instance_refresh block, an apply replaces no instance.
  launch_template {
    id      = aws_launch_template.group[0].id
    version = aws_launch_template.group[0].latest_version
  }

  instance_maintenance_policy {
    min_healthy_percentage = 100
    max_healthy_percentage = 150
  }

  initial_lifecycle_hook {
    name                 = "installed"
    lifecycle_transition = "autoscaling:EC2_INSTANCE_LAUNCHING"
    heartbeat_timeout    = 1800
    default_result       = "ABANDON"
  }

  dynamic "tag" {
    for_each = { Name = var.name, token-server = var.name }
    content {
      key                 = tag.key
      value               = tag.value
      propagate_at_launch = true
    }
  }

  depends_on = [
    aws_iam_role_policy.auto_scaling,
    aws_iam_role_policy.mosek_files,
    aws_iam_role_policy_attachment.systems_manager,
    aws_vpc_security_group_egress_rule.instances,
  ]
}

# A resource of its own, so that Terraform deletes it before the group, and a deletion does not wait for it.
resource "aws_autoscaling_lifecycle_hook" "termination" {
  count                  = local.has_group ? 1 : 0
  name                   = "token-failover"
  autoscaling_group_name = aws_autoscaling_group.group[0].name
  lifecycle_transition   = "autoscaling:EC2_INSTANCE_TERMINATING"
  heartbeat_timeout      = 7200
  default_result         = "ABANDON"
}

resource "aws_iam_role_policy" "auto_scaling" {
  count = local.has_group ? 1 : 0
  name  = "auto-scaling"
  role  = aws_iam_role.instances.name
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect = "Allow"
      Action = "autoscaling:CompleteLifecycleAction"
      Resource = join(":", [
        "arn:${data.aws_partition.this.partition}:autoscaling:${var.region}:${data.aws_caller_identity.this.account_id}",
        "autoScalingGroup:*:autoScalingGroupName/${var.name}",
      ])
    }]
  })
}
