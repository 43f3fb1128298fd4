// Programs written for AWS's JavaScript SDK: every operation it has. Each takes a number and gives a result that only
// depends on it. Side effects are noted in a ledger, a JSON document per line.

import { appendFileSync, existsSync, writeFileSync } from "node:fs";
import {
  BatchItemStatus,
  CompletionOutcome,
  NestingType,
  StepSemantics,
  completeBatch,
  continueBatch,
  createRetryStrategy,
  createWaitStrategy,
  retryPresets,
  withDurableExecution,
  withRetry,
} from "@aws/durable-execution-sdk-js";

if (process.env.PROXY) process.env.AWS_ENDPOINT_URL_LAMBDA = process.env.PROXY;

const again = (limit, seconds = 1) => (error, attempt) =>
  attempt < limit ? { shouldRetry: true, delay: { seconds } } : { shouldRetry: false };
const never = () => ({ shouldRetry: false });

class Unlucky extends Error {
  name = "Unlucky";
}

function note(ctx, entry) {
  const line = { arn: ctx.executionContext.durableExecutionArn, pid: process.pid, ms: Date.now(), ...entry };
  appendFileSync(process.env.LEDGER, `${JSON.stringify(line)}\n`);
}

/** A step whose body is noted. */
function step(ctx, root, name, body, config) {
  return ctx.step(
    name,
    async (stepContext) => {
      note(root, { kind: "step", name, attempt: stepContext.attempt });
      return body(stepContext);
    },
    config,
  );
}

export const steps = withDurableExecution(async (n, ctx) => {
  const first = await step(ctx, ctx, "first", async () => n + 1);
  const second = await step(
    ctx,
    ctx,
    "unlucky",
    async ({ attempt }) => {
      if (attempt < 3) throw new Unlucky(`attempt ${attempt}`);
      return first + attempt;
    },
    { retryStrategy: again(5) },
  );
  await ctx.wait("pause", { seconds: 1 });
  await ctx.wait({ seconds: 1 });
  const nothing = await ctx.step(async () => undefined);
  const shape = await step(ctx, ctx, "shape", async () => ({ list: [1, null, { deep: "é😀" }], flag: false, zero: 0 }));
  let caught = null;
  try {
    await step(ctx, ctx, "hopeless", async () => { throw new Unlucky("never"); }, { retryStrategy: never });
  } catch (error) {
    caught = [error.name, error.errorType, error.message];
  }
  let late = null;
  try {
    await step(ctx, ctx, "exhausted", async () => { throw new TypeError("twice"); }, {
      retryStrategy: createRetryStrategy({ maxAttempts: 2, initialDelay: { seconds: 1 }, maxDelay: { seconds: 1 } }),
    });
  } catch (error) {
    late = error.message;
  }
  return { first, second, nothing: nothing === undefined || nothing === null, shape, caught, late };
});

export const careful = withDurableExecution(async (n, ctx) => {
  const config = { semantics: StepSemantics.AtMostOncePerRetry, retryStrategy: retryPresets.noRetry };
  let once;
  try {
    once = await step(ctx, ctx, "once", async () => {
      await new Promise((resolve) => setTimeout(resolve, 100));
      return n;
    }, config);
  } catch (error) {
    once = "interrupted";
  }
  const perAttempt = await step(ctx, ctx, "per attempt", async () => n + 1, {
    semantics: StepSemantics.AtMostOncePerRetry,
    retryStrategy: again(50),
  });
  return [once, perAttempt];
});

export const callbacks = withDurableExecution(async (n, ctx) => {
  const [promise, id] = await ctx.createCallback("first", { timeout: { minutes: 5 } });
  await step(ctx, ctx, "ask", async () => note(ctx, { kind: "callback", id, what: "succeed", result: JSON.stringify({ n }) }));
  const first = await promise;
  const second = await ctx.waitForCallback(
    "second",
    async (callbackId) => note(ctx, { kind: "callback", id: callbackId, what: "succeed", result: `text ${n}` }),
    { timeout: { minutes: 5 }, heartbeatTimeout: { minutes: 4 }, serdes: { deserialize: async (text) => text } },
  );
  const outcomes = [];
  const refused = async (callbackId) => note(ctx, { kind: "callback", id: callbackId, what: "fail" });
  const silent = async () => {};
  const broken = async () => { throw new Unlucky("could not ask"); };
  for (const [name, submitter, config] of [
    ["refused", refused, { timeout: { minutes: 5 } }],
    ["silent", silent, { timeout: { seconds: 1 } }],
    ["heartless", silent, { heartbeatTimeout: { seconds: 1 } }],
    ["broken", broken, { retryStrategy: never }],
  ]) {
    try {
      await ctx.waitForCallback(name, submitter, config);
    } catch (error) {
      outcomes.push([name, error.name, error.message]);
    }
  }
  return { first, second, outcomes };
});

export const invokes = withDurableExecution(async (n, ctx) => {
  const leaf = await ctx.invoke("leaf", `${process.env.LEAF}:live`, { n });
  const latest = ctx.invoke("Leaf:$LATEST", { n: n + 1 });
  const plain = ctx.invoke("plain", process.env.PLAIN, { n });
  const together = await Promise.all([latest, plain]);
  const failures = [];
  for (const [name, target, input] of [
    ["refuses", "Leaf:$LATEST", { n, refuse: true }],
    ["plain fails", process.env.PLAIN, { n, refuse: true }],
    ["absent", "Nobody:$LATEST", {}],
  ]) {
    try {
      await ctx.invoke(name, target, input);
    } catch (error) {
      failures.push([name, error.name, error.message]);
    }
  }
  return { leaf, together, failures };
});

export const plain = async (event) => {
  if (event.refuse) throw new Unlucky(`plain refused ${event.n}`);
  return { plain: event.n };
};

export const echo = withDurableExecution(async (event, ctx) => ctx.step("echo", async () => event));

export const batches = withDurableExecution(async (n, ctx) => {
  const numbers = [0, 1, 2, 3, 4, 5, 6];
  const square = async (child, item, index) => {
    const value = await step(child, ctx, `square ${index}`, async () => item * item + n);
    await child.wait({ seconds: 1 });
    return value;
  };
  const squares = await ctx.map("squares", numbers, square, { maxConcurrency: 3, itemNamer: (item) => `number ${item}` });
  const flat = await ctx.map("flat", numbers, async (child, item) => child.step(async () => item + n), {
    nesting: NestingType.FLAT,
  });
  const odd = async (child, item) => {
    if (item % 2) throw new Unlucky(`odd ${item}`);
    return item;
  };
  const tolerant = await ctx.map("tolerant", numbers, odd, { completionConfig: { toleratedFailureCount: 5 } });
  const strict = await ctx.map("strict", numbers, odd, { maxConcurrency: 1, completionConfig: { toleratedFailureCount: 0 } });
  const two = await ctx.map("two", numbers, async (child, item) => item, {
    maxConcurrency: 1,
    completionConfig: { minSuccessful: 2 },
  });
  const custom = await ctx.map("custom", numbers, async (child, item) => item, {
    maxConcurrency: 1,
    completionConfig: {
      shouldComplete: ({ successCount }) => (successCount === 3 ? completeBatch(CompletionOutcome.SUCCEEDED) : continueBatch()),
    },
  });
  const branches = await ctx.parallel("branches", [
    { name: "quick", func: async (child) => step(child, ctx, "quick", async () => "quick") },
    { name: "slow", func: async (child) => { await child.wait({ seconds: 2 }); return "slow"; } },
    async (child) => child.runInChildContext("deep", async (deeper) => step(deeper, ctx, "deep", async () => n)),
  ]);
  let thrown;
  try {
    strict.throwIfError();
  } catch (error) {
    thrown = error.name;
  }
  return {
    squares: squares.getResults(),
    flat: flat.getResults(),
    tolerant: [tolerant.completionReason, tolerant.successCount, tolerant.failureCount, tolerant.getErrors().map((e) => e.message)],
    strict: [strict.completionReason, strict.failureCount, strict.status === BatchItemStatus.FAILED],
    two: [two.completionReason, two.successCount, two.getResults()],
    custom: [custom.completionReason, custom.getResults()],
    branches: branches.getResults(),
    thrown,
  };
});

export const children = withDurableExecution(async (n, ctx) => {
  const nested = await ctx.runInChildContext("outer", async (outer) => {
    const inner = await outer.runInChildContext("inner", async (deepest) => step(deepest, ctx, "deepest", async () => n + 1));
    await outer.wait("inside", { seconds: 1 });
    return inner + (await step(outer, ctx, "after", async () => 10));
  });
  const large = await ctx.runInChildContext("large", async (child) => {
    const parts = [];
    for (let part = 0; part < 4; part += 1) {
      parts.push(await step(child, ctx, `part ${part}`, async () => String(part).repeat(100_000)));
    }
    return parts.join("");
  }, { summaryGenerator: (text) => `${text.length} characters` });
  await ctx.wait("replay it", { seconds: 1 });
  const manyLarge = await ctx.map("many large", [1, 2, 3], async (child, item) => {
    return child.step(`bulk ${item}`, async () => String(item).repeat(150_000));
  });
  await ctx.wait("replay that", { seconds: 1 });
  const unrecorded = await ctx.runInChildContext("virtual", async (child) => child.step("in virtual", async () => n), {
    virtualContext: true,
  });
  let failure;
  try {
    await ctx.runInChildContext("failing", async (child) => step(child, ctx, "bad", async () => { throw new Unlucky("bad"); }, { retryStrategy: never }));
  } catch (error) {
    failure = [error.name, error.message];
  }
  return { nested, large: large.length, many: manyLarge.getResults().map((text) => text.length), unrecorded, failure };
});

export const conditions = withDurableExecution(async (n, ctx) => {
  const reached = await ctx.waitForCondition(
    "count",
    async (state, { attempt }) => {
      note(ctx, { kind: "poll", name: "count", state });
      return { count: state.count + 1, attempt };
    },
    {
      initialState: { count: n },
      waitStrategy: (state) => (state.count < n + 3 ? { shouldContinue: true, delay: { seconds: 1 } } : { shouldContinue: false }),
    },
  );
  let gaveUp = null;
  try {
    await ctx.waitForCondition("hopeless", async (state) => state, {
      initialState: "red",
      waitStrategy: createWaitStrategy({
        maxAttempts: 2,
        initialDelay: { seconds: 1 },
        shouldContinuePolling: (state) => state !== "green",
      }),
    });
  } catch (error) {
    gaveUp = error.name;
  }
  let failed = null;
  try {
    await ctx.waitForCondition("broken", async () => { throw new Unlucky("cannot look"); }, {
      initialState: 0,
      waitStrategy: () => ({ shouldContinue: false }),
    });
  } catch (error) {
    failed = error.message;
  }
  return { reached, gaveUp, failed };
});

export const combinators = withDurableExecution(async (n, ctx) => {
  const fine = (name, value) => ctx.step(name, async () => value, { retryStrategy: never });
  const bad = (name) => ctx.step(name, async () => { throw new Unlucky(name); }, { retryStrategy: never });
  const all = await ctx.promise.all("all", [fine("a", n), fine("b", n + 1)]);
  const settled = await ctx.promise.allSettled("settled", [fine("c", 1), bad("d")]);
  const any = await ctx.promise.any("any", [bad("e"), fine("f", "f")]);
  const race = await ctx.promise.race("race", [ctx.wait("slow", { seconds: 3 }).then(() => "slow"), fine("fast", "fast")]);
  let none;
  try {
    await ctx.promise.any("none", [bad("g"), bad("h")]);
  } catch (error) {
    none = error.name;
  }
  return { all, settled: settled.map(({ status, value, reason }) => [status, value ?? reason.message]), any, race, none };
});

export const concurrent = withDurableExecution(async (n, ctx) => {
  const values = await Promise.all(Array.from({ length: 40 }, (_, index) => step(ctx, ctx, `step ${index}`, async () => {
    await new Promise((resolve) => setTimeout(resolve, (index * 7) % 20));
    return index + n;
  })));
  await Promise.all([1, 2, 1].map((seconds, index) => ctx.wait(`wait ${index}`, { seconds })));
  return values.reduce((sum, value) => sum + value, 0);
});

export const blocks = withDurableExecution(async (n, ctx) => {
  return withRetry(ctx, "block", async (child, attempt) => {
    const value = await child.step("inside", async () => n + attempt);
    if (attempt < 3) throw new Unlucky(`block ${attempt}`);
    return [attempt, value];
  }, { retryStrategy: again(5) });
});

/** More state than one page of it holds. */
export const pages = withDurableExecution(async (n, ctx) => {
  let length = 0;
  for (let page = 0; page < 30; page += 1) {
    length += (await step(ctx, ctx, `page ${page}`, async () => "p".repeat(250_000))).length;
    if (page % 10 === 9) await ctx.wait(`between ${page}`, { seconds: 1 });
  }
  return length + n;
});

/** A result that is too large for the answer of an invocation. */
export const large = withDurableExecution(async (n) => "x".repeat(n));

export const fails = withDurableExecution(async (n, ctx) => {
  await ctx.step("last", async () => { throw new Unlucky(`no luck with ${n}`); }, { retryStrategy: never });
});

/** Its process ends, once, in the middle. */
export const crashes = withDurableExecution(async (n, ctx) => {
  await step(ctx, ctx, "before", async () => n);
  await step(ctx, ctx, "crash", async () => {
    const mark = `${process.env.LEDGER}.crash-${n}`;
    if (!existsSync(mark)) {
      writeFileSync(mark, "");
      process.kill(process.pid, "SIGKILL");
      await new Promise(() => {});
    }
    return n;
  });
  return step(ctx, ctx, "after", async () => n + 1);
});

/** Not the same program the second time. */
export const forgetful = withDurableExecution(async (n, ctx) => {
  const mark = `${process.env.LEDGER}.forgetful-${n}`;
  const first = !existsSync(mark);
  writeFileSync(mark, "");
  if (first) await ctx.step("what was", async () => 1);
  else await ctx.wait("what is", { seconds: 1 });
  await ctx.wait("then", { seconds: 1 });
  return "unreachable";
});
