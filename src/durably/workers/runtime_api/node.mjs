// The Lambda runtime client for JavaScript functions: node node.mjs HANDLER
//
// It needs nothing but Node itself, so that a function runs without a build of aws-lambda-ric (a native addon). What a
// handler sees is Lambda's: `file.name` or `directory/file.outer.name` in ES modules and CommonJS, async handlers,
// those that take a callback, the context object, the errors' shapes, an end of the process at an uncaught exception.

import { existsSync } from "node:fs";
import http from "node:http";
import { resolve as resolvePath } from "node:path";
import process from "node:process";
import { pathToFileURL } from "node:url";

const [host, port] = process.env.AWS_LAMBDA_RUNTIME_API.split(":");
const root = process.env.LAMBDA_TASK_ROOT;
const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
let running = null; // the request id of the invocation under way

class HandlerError extends Error {
  constructor(name, message) {
    super(message);
    this.name = name;
  }
}

function call(method, route, body, more = {}) {
  return new Promise((resolve, reject) => {
    const sent = body === undefined ? {} : { "Content-Type": "application/json", "Content-Length": body.length };
    const headers = { ...sent, ...more };
    const path = `/2018-06-01/runtime/${route}`;
    const request = http.request({ host, port, agent, method, path, headers }, (response) => {
      const chunks = [];
      response.on("data", (chunk) => chunks.push(chunk));
      response.on("error", reject);
      response.on("end", () => {
        resolve({ status: response.statusCode, headers: response.headers, body: Buffer.concat(chunks) });
      });
    });
    request.on("error", reject);
    request.end(body);
  });
}

// ---- errors ---------------------------------------------------------------------------------------------------------

function described(error) {
  // An error may come from another realm, so its class does not tell.
  if (typeof error === "object" && error !== null && "message" in error && "stack" in error) {
    return {
      errorType: String(error.name ?? "Error"),
      errorMessage: String(error.message),
      trace: String(error.stack ?? "").split("\n"),
    };
  }
  return { errorType: typeof error, errorMessage: String(error), trace: [] };
}

function tellError(route, error) {
  const told = described(error);
  const type = told.errorType.replace(/[^\x21-\x7e]/g, "?");
  return call("POST", route, Buffer.from(JSON.stringify(told)), { "Lambda-Runtime-Function-Error-Type": type });
}

async function die(error, code) {
  console.error(error);
  try {
    await tellError(running === null ? "init/error" : `invocation/${running}/error`, error);
  } finally {
    process.exit(code);
  }
}

process.on("uncaughtException", (error) => void die(error, 129));
process.on("unhandledRejection", (reason) => {
  const error = new HandlerError("Runtime.UnhandledPromiseRejection", described(reason).errorMessage);
  if (reason instanceof Error) error.stack = reason.stack;
  void die(error, 128);
});

// ---- the handler ----------------------------------------------------------------------------------------------------

async function load(reference) {
  const match = /^(.*\/)?([^./][^/]*?)\.([^/]+)$/.exec(reference);
  if (match === null || reference.includes("..")) {
    throw new HandlerError("Runtime.MalformedHandlerName", `Bad handler ${reference}: write file.name`);
  }
  const [, directory = "", file, name] = match;
  const base = resolvePath(root, directory, file);
  const found = [".js", ".mjs", ".cjs"].map((suffix) => base + suffix).find((candidate) => existsSync(candidate));
  if (found === undefined) {
    throw new HandlerError("Runtime.ImportModuleError", `Cannot find module '${file}': no ${base}.js, .mjs or .cjs`);
  }
  let module;
  try {
    module = await import(pathToFileURL(found).href);
  } catch (error) {
    if (error instanceof SyntaxError) error.name = "Runtime.UserCodeSyntaxError";
    if (error?.code?.endsWith?.("MODULE_NOT_FOUND")) error.name = "Runtime.ImportModuleError";
    throw error;
  }
  const reach = (start) => name.split(".").reduce((value, part) => value?.[part], start);
  const handler = reach(module) ?? reach(module.default);
  if (handler === undefined) {
    throw new HandlerError("Runtime.HandlerNotFound", `${reference} is undefined or not exported`);
  }
  if (typeof handler !== "function") {
    throw new HandlerError("Runtime.HandlerNotFound", `${reference} is not a function`);
  }
  return handler;
}

function contextOf(headers) {
  const json = (name) => (headers[name] ? JSON.parse(headers[name]) : undefined);
  const deadline = Number(headers["lambda-runtime-deadline-ms"]);
  return {
    callbackWaitsForEmptyEventLoop: true,
    functionName: process.env.AWS_LAMBDA_FUNCTION_NAME,
    functionVersion: process.env.AWS_LAMBDA_FUNCTION_VERSION,
    memoryLimitInMB: process.env.AWS_LAMBDA_FUNCTION_MEMORY_SIZE,
    logGroupName: process.env.AWS_LAMBDA_LOG_GROUP_NAME,
    logStreamName: process.env.AWS_LAMBDA_LOG_STREAM_NAME,
    awsRequestId: headers["lambda-runtime-aws-request-id"],
    invokedFunctionArn: headers["lambda-runtime-invoked-function-arn"],
    clientContext: json("lambda-runtime-client-context"),
    identity: json("lambda-runtime-cognito-identity"),
    tenantId: headers["lambda-runtime-aws-tenant-id"],
    getRemainingTimeInMillis: () => Math.max(0, deadline - Date.now()),
  };
}

function answer(handler, event, context) {
  return new Promise((resolve, reject) => {
    const callback = (error, result) => (error === null || error === undefined ? resolve(result) : reject(error));
    const result = handler(event, context, callback);
    if (typeof result?.then === "function") result.then(resolve, reject);
    else if (handler.length < 3) resolve(result);
  });
}

async function serve(handler) {
  for (;;) {
    const next = await call("GET", "invocation/next");
    if (next.status !== 200) throw new Error(`the Runtime API answered ${next.status}`);
    running = next.headers["lambda-runtime-aws-request-id"];
    const trace = next.headers["lambda-runtime-trace-id"];
    if (trace === undefined) delete process.env._X_AMZN_TRACE_ID;
    else process.env._X_AMZN_TRACE_ID = trace;
    try {
      const result = await answer(handler, JSON.parse(next.body.toString()), contextOf(next.headers));
      const body = Buffer.from(JSON.stringify(result === undefined ? null : result));
      await call("POST", `invocation/${running}/response`, body);
    } catch (error) {
      console.error(error);
      await tellError(`invocation/${running}/error`, error);
    }
    running = null;
  }
}

let handler;
try {
  handler = await load(process.argv[2]);
} catch (error) {
  await die(error, 1);
}
try {
  await serve(handler);
} catch (error) {
  // The service has gone: nobody is left to tell.
  console.error(error);
  process.exit(1);
}
