"""A hospital admission that is encrypted wherever it is recorded: what goes in, what comes out and all between.

    export HOSPITAL_KEYS=$(python -c "from cryptography.fernet import Fernet; print(Fernet.generate_key().decode())")
    durably dev examples/encrypted.py
    durably invoke admit "$(python examples/encrypted.py '{"name": "Ada", "complaint": "a broken wrist"}')"
    python examples/encrypted.py '"gAAAAA..."'    reads the result

Needs `cryptography`. To change the key, put the new one in front: `HOSPITAL_KEYS=NEW,OLD`. The first one encrypts, all
of them decrypt, so what was recorded with the old one can still be read.

Names of operations, their times and the messages of errors are not encrypted, so keep secrets out of them.
"""

import os
import sys
from dataclasses import dataclass

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from durably import (
    CompressSerDes,
    DurableContext,
    Duration,
    InvokeConfig,
    PipelineSerDes,
    SerDes,
    SerDesContext,
    SerDesError,
    StepContext,
    durable_execution,
    durable_step,
)


class Encrypt(SerDes[str]):
    """A stage that encrypts texts."""

    def __init__(self, keys: str) -> None:
        self._fernet = MultiFernet([Fernet(key) for key in keys.split(",")])

    def serialize(self, value: str, serdes_context: SerDesContext) -> str:
        return self._fernet.encrypt(value.encode()).decode()

    def deserialize(self, data: str, serdes_context: SerDesContext) -> str:
        try:
            return self._fernet.decrypt(data).decode()
        except InvalidToken:
            raise SerDesError("encrypted with none of HOSPITAL_KEYS, or damaged") from None


SECRET: PipelineSerDes[object] = PipelineSerDes(CompressSerDes(), Encrypt(os.environ["HOSPITAL_KEYS"]))


@dataclass(frozen=True)
class Patient:
    name: str
    complaint: str


@dataclass(frozen=True)
class Finding:
    examination: str
    result: str


@dataclass(frozen=True)
class Stay:
    patient: Patient
    findings: list[Finding]
    invoice: str


@durable_step
def examine(step: StepContext, patient: Patient, examination: str) -> Finding:
    return Finding(examination, f"{patient.complaint}, says the {examination}")


@durable_execution(serdes=SECRET)
def bill(patient: Patient, ctx: DurableContext) -> str:
    return f"invoice for {patient.name}"


@durable_execution(serdes=SECRET, operation_serdes=SECRET)
def admit(patient: Patient, ctx: DurableContext) -> Stay:
    def on(ctx: DurableContext, examination: str) -> Finding:
        return ctx.step(examine(patient, examination))

    findings = ctx.map(["X-ray", "blood count"], on, name="examinations").get_results()
    ctx.wait(Duration.from_seconds(1), name="observation")
    # What another function reads is written for it, so it is not the default's business.
    config = InvokeConfig(serdes_payload=SECRET, serdes_result=SECRET)
    invoice = ctx.invoke("bill:$LATEST", patient, name="bill", config=config, result_type=str)
    return Stay(patient, findings, invoice)


if __name__ == "__main__":
    import msgspec

    given = sys.argv[1]
    if given.startswith('"'):  # what `durably invoke` printed
        print(admit.output_codec.decode(given))
    else:
        print(admit.input_codec.encode(msgspec.json.decode(given, type=Patient)))
