// A pair of token servers with token-failover, as a CDK app. docs/infrastructure-as-code.md explains the guards.

import {
  App, CfnDeletionPolicy, CfnOutput, CfnResource, CfnStack, Fn, RemovalPolicy, Stack, StackProps, Tags,
} from 'aws-cdk-lib';
import * as ec2 from 'aws-cdk-lib/aws-ec2';
import * as iam from 'aws-cdk-lib/aws-iam';
import { Construct } from 'constructs';

interface PairProps extends StackProps {
  vpcId: string;
  /** The subnet of the license interface and the instances. It must reach S3 and Systems Manager. */
  subnetId: string;
  /** Whether clients connect over the internet. The subnet then needs a route to an internet gateway. */
  elasticIp: boolean;
  clientCidr: string;
  /** The last number on the SERVER line of the license file. */
  lmgrdPort: number;
  /** The port on the VENDOR line of the license file. */
  vendorPort: number;
  instanceType: string;
  /** The bucket with deploy/boot, the archive of MOSEK and mosek.lic. */
  mosekFilesBucket: string;
  mosekFilesPrefix: string;
  /** The hostid on the SERVER line of the license file, once you have it. */
  licenseHostid: string;
  /** The last valid day of the license, such as 2031-12-31. */
  licenseExpires: string;
  /** The packaged template in S3. Use a new key for each version of token-failover. */
  tokenFailoverTemplateUrl: string;
  notificationEmail: string;
  secondNotificationEmail: string;
}

class TokenServerPair extends Stack {
  constructor(scope: Construct, id: string, props: PairProps) {
    super(scope, id, props);
    const ports = { lmgrd: props.lmgrdPort, vendor: props.vendorPort };

    // ---- The license interface ----

    const licenseAccess = keep(new ec2.CfnSecurityGroup(this, 'LicenseAccess', {
      groupDescription: 'Clients of the license server',
      vpcId: props.vpcId,
      securityGroupIngress: Object.entries(ports).map(([description, port]) => (
        { ipProtocol: 'tcp', fromPort: port, toPort: port, cidrIp: props.clientCidr, description })),
      // Nothing: the token server opens no connections, and without a rule EC2 would allow all.
      securityGroupEgress: [{ ipProtocol: '-1', cidrIp: '127.0.0.1/32', description: 'Nothing' }],
    }));

    // Nothing here attaches the interface. token-failover does.
    const licenseInterface = keep(new ec2.CfnNetworkInterface(this, 'LicenseInterface', {
      description: 'License interface. Its MAC address is the hostid of the license - never delete it.',
      subnetId: props.subnetId,
      groupSet: [licenseAccess.attrGroupId],
    }));

    let allocationId = '';
    if (props.elasticIp) {
      const licenseAddress = keep(new ec2.CfnEIP(this, 'LicenseAddress', { domain: 'vpc' }));
      allocationId = licenseAddress.attrAllocationId;
      // With the interface, never with an instance: the Elastic IP then moves together with the interface.
      const association = new ec2.CfnEIPAssociation(this, 'LicenseAddressOnInterface', {
        allocationId,
        networkInterfaceId: licenseInterface.ref,
      });
      association.cfnOptions.deletionPolicy = CfnDeletionPolicy.RETAIN_EXCEPT_ON_CREATE;
      association.cfnOptions.updateReplacePolicy = CfnDeletionPolicy.DELETE;
    }

    // ---- The two instances ----

    const instanceAccess = new ec2.CfnSecurityGroup(this, 'InstanceAccess', {
      groupDescription: 'The instances, for what is not the license',
      vpcId: props.vpcId,
      securityGroupEgress: [
        { ipProtocol: 'tcp', fromPort: 443, toPort: 443, cidrIp: '0.0.0.0/0', description: 'S3, Systems Manager, packages' },
      ],
    });

    const bucket = `arn:${this.partition}:s3:::${props.mosekFilesBucket}`;
    const role = new iam.Role(this, 'InstanceRole', {
      assumedBy: new iam.ServicePrincipal('ec2.amazonaws.com'),
      managedPolicies: [iam.ManagedPolicy.fromAwsManagedPolicyName('AmazonSSMManagedInstanceCore')],
      inlinePolicies: {
        'mosek-files': new iam.PolicyDocument({
          statements: [
            new iam.PolicyStatement({ actions: ['s3:GetObject'], resources: [`${bucket}/${props.mosekFilesPrefix}/*`] }),
            new iam.PolicyStatement({
              actions: ['s3:ListBucket'],
              resources: [bucket],
              conditions: { StringLike: { 's3:prefix': `${props.mosekFilesPrefix}/*` } },
            }),
          ],
        }),
      },
    });
    const profile = new iam.CfnInstanceProfile(this, 'InstanceProfile', { roles: [role.roleName] });

    const files = `s3://${props.mosekFilesBucket}/${props.mosekFilesPrefix}`;
    const install = [
      '#!/bin/sh',
      'set -eu',
      `aws s3 cp --recursive --only-show-errors "${files}/boot" /root/token-server-boot`,
      `sh /root/token-server-boot/install "${files}"`,
      '',
    ].join('\n');

    const template = new ec2.CfnLaunchTemplate(this, 'InstanceTemplate', {
      launchTemplateData: {
        // A parameter, which EC2 resolves at the launch. As a property of the instances, a new image would replace both.
        imageId: 'resolve:ssm:/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64',
        iamInstanceProfile: { arn: profile.attrArn },
        blockDeviceMappings: [
          { deviceName: '/dev/xvda', ebs: { encrypted: true, volumeType: 'gp3', deleteOnTermination: true } },
        ],
        metadataOptions: { httpEndpoint: 'enabled', httpTokens: 'required', httpPutResponseHopLimit: 1 },
        // Otherwise EC2 could recover a failed holder while token-failover moves the interface away from it.
        maintenanceOptions: { autoRecovery: 'disabled' },
        userData: Fn.base64(install),
      },
    });

    const members = ['FirstInstance', 'SecondInstance'].map((name) => {
      const instance = new ec2.CfnInstance(this, name, {
        // Always the first version, so that a changed launch template never replaces a working token server.
        launchTemplate: { launchTemplateId: template.ref, version: '1' },
        instanceType: props.instanceType,
        // Only the primary interface. The license interface is never in this list.
        networkInterfaces: [{
          deviceIndex: '0',
          subnetId: props.subnetId,
          groupSet: [instanceAccess.attrGroupId],
          associatePublicIpAddress: false,
          deleteOnTermination: true,
        }],
      });
      Tags.of(instance).add('Name', `${id} ${name}`);
      return instance;
    });

    // ---- token-failover ----

    const tokenFailover = new CfnStack(this, 'TokenFailover', {
      templateUrl: props.tokenFailoverTemplateUrl,
      parameters: {
        TokenServerInterfaceId: licenseInterface.ref,
        TokenServerInstanceIds: Fn.join(',', members.map((instance) => instance.ref)),
        TokenServerName: id,
        TokenServerHostid: props.licenseHostid,
        TokenServerLicenseExpires: props.licenseExpires,
        TokenServerAllocationId: allocationId,
        TokenServerDeviceIndex: '1',
        TokenServerPorts: Object.values(ports).join(','),
        TokenServerClients: props.clientCidr,
        TokenServerSecurityGroupId: licenseAccess.attrGroupId,
        TokenServerLicenseCheckDocument: 'check-license',
        NotificationEmail: props.notificationEmail,
        SecondNotificationEmail: props.secondNotificationEmail,
      },
    });

    new CfnOutput(this, 'LicenseInterfaceId', { value: licenseInterface.ref });
    new CfnOutput(this, 'PrivateIpAddress', { value: licenseInterface.attrPrimaryPrivateIpAddress });
    new CfnOutput(this, 'FunctionName', { value: tokenFailover.getAtt('Outputs.FunctionName').toString() });
  }
}

/**
 * Keeps the resource when it leaves the stack, with a logical id that no longer follows from its place in the code. Under
 * another logical id, CloudFormation would create another interface, with another MAC address.
 */
function keep<T extends CfnResource>(resource: T): T {
  resource.applyRemovalPolicy(RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE);
  resource.overrideLogicalId(resource.node.id);
  Tags.of(resource).add('Name', `${Stack.of(resource).stackName} license`);
  return resource;
}

const app = new App();
new TokenServerPair(app, 'token-server', {
  terminationProtection: true,
  vpcId: 'vpc-0aaaaaaaaaaaaaaa1',
  subnetId: 'subnet-0aaaaaaaaaaaaaaa1',
  elasticIp: true,
  clientCidr: '10.0.0.0/16',
  lmgrdPort: 27007,
  vendorPort: 27008,
  instanceType: 't3.small',
  mosekFilesBucket: 'example-bucket',
  mosekFilesPrefix: 'token-server',
  licenseHostid: '',
  licenseExpires: '',
  tokenFailoverTemplateUrl: 'https://example-bucket.s3.eu-west-1.amazonaws.com/token-failover/1.yaml',
  notificationEmail: 'ops@example.com',
  secondNotificationEmail: 'ops-deputy@example.com',
});
