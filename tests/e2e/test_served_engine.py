"""An engine in a process of its own: every shared scan over both protocols, foreign clients, signals and crashes."""

from __future__ import annotations

import json
import shutil
import signal
import socket
import struct
import subprocess
import time
import urllib.error
import urllib.request

import h5py
import ismrmrd
import numpy as np
import pytest
from ismrmrd.serialization import ConfigFile, ConfigText, ProtocolDeserializer, ProtocolSerializer

from echotrain.clients import Client
from echotrain.clients.scan_file import read_scan
from echotrain.engine.errors import RemoteError
from echotrain.engine.image_file import read_images
from echotrain.engine.messages import Image, Readouts

SAMPLED = ("brain_sim_odd_header.h5", "brain_t1_7ch.h5", "phantom_16ch.h5", "phantom_gre_2ch.h5")
UNDERSAMPLED = "shepp_logan_r2_acs16_noise_8ch.h5"
KEYS = ("repetition", "set", "phase", "contrast", "slice")


def compare(images, expected, reference):
    assert len(images) == len(expected)
    for image in images:
        which = reference.Which(0, *(int(image.header[name]) for name in KEYS))
        error = np.linalg.norm(image.pixels[0] - expected[which]) / np.linalg.norm(expected[which])
        assert error < 1e-5, (which, error)


@pytest.mark.parametrize("protocol", ["zmq", "mrd"])
@pytest.mark.parametrize("chain", ["default", "grappa"])
@pytest.mark.parametrize("file", SAMPLED)
def test_fully_sampled_scans_agree_with_a_double_precision_reconstruction(
    served, data, reference, file, chain, protocol
):
    path = data / "raw" / file
    with Client(getattr(served, protocol), protocol=protocol) as client:
        images = client.reconstruct(path, chain=chain)
    compare(images, reference.reconstruct(path), reference)


@pytest.mark.parametrize("protocol", ["zmq", "mrd"])
@pytest.mark.parametrize("chain", ["default", "grappa"])
def test_an_undersampled_scan_is_unfolded(served, data, reference, chain, protocol):
    path = data / "raw" / UNDERSAMPLED
    with Client(getattr(served, protocol), protocol=protocol) as client:
        images = client.reconstruct(path, chain=chain)
    truth = reference.reconstruct_together(reference.read_scan(path))
    assert len(images) == 4
    for image in images:
        assert image.meta["EchotrainMethod"] == "grappa+rss"
        assert np.linalg.norm(image.pixels[0] - truth) < 0.1 * np.linalg.norm(truth)


@pytest.mark.skipif(not shutil.which("ismrmrd_recon_cartesian_2d"), reason="Debian's ismrmrd-tools is not installed")
@pytest.mark.parametrize("file", ["brain_t1_7ch.h5", "phantom_16ch.h5", "phantom_gre_2ch.h5"])
def test_images_agree_with_those_of_ismrmrd_tools(served, data, tmp_path, file):
    copy = tmp_path / file
    shutil.copy(data / "raw" / file, copy)
    copy.chmod(0o644)
    subprocess.run(["ismrmrd_recon_cartesian_2d", str(copy)], check=True, capture_output=True, timeout=60)
    with h5py.File(copy) as output:
        theirs = np.squeeze(output["dataset/cpp/data"][()])
    with Client(served.zmq) as client:
        (ours,) = client.reconstruct(data / "raw" / file)
    ours = ours.pixels[0, 0]
    assert theirs.shape == ours.shape
    scale = np.vdot(theirs, ours) / np.vdot(theirs, theirs)
    assert np.linalg.norm(scale * theirs - ours) / np.linalg.norm(ours) < 1e-4


class Foreign:
    """An MRD client as others write them, on the ismrmrd package."""

    def __init__(self, address):
        self.socket = socket.create_connection(address, timeout=20)
        self.out = self.socket.makefile("wb")
        self.stream = self.socket.makefile("rb")
        self.serializer = ProtocolSerializer(self.out)

    def send(self, *items):
        for item in items:
            self.serializer.serialize(item)
        self.out.flush()

    def finish(self):
        self.serializer.close()
        return list(ProtocolDeserializer(self.stream).deserialize())

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.out.close()
        self.stream.close()
        self.socket.close()


def scan_of(path):
    dataset = ismrmrd.Dataset(str(path), "dataset", create_if_needed=False)
    header = ismrmrd.xsd.CreateFromDocument(dataset.read_xml_header())
    acquisitions = [dataset.read_acquisition(i) for i in range(dataset.number_of_acquisitions())]
    dataset.close()
    return header, acquisitions


@pytest.fixture(scope="module")
def phantom(data):
    return scan_of(data / "raw" / "phantom_gre_2ch.h5")


@pytest.fixture(scope="module")
def expected(data, reference):
    (image,) = reference.reconstruct(data / "raw" / "phantom_gre_2ch.h5").values()
    return image


def relative(image, expected):
    return np.linalg.norm(np.abs(image.data[0]) - expected) / np.linalg.norm(expected)


def test_a_foreign_client_names_a_chain_and_gets_its_image(served, phantom, expected):
    header, acquisitions = phantom
    with Foreign(served.mrd_address) as client:
        client.send(ConfigFile("default"), header, *acquisitions)
        images = [item for item in client.finish() if isinstance(item, ismrmrd.Image)]
    assert len(images) == 1
    assert relative(images[0], expected) < 1e-5
    meta = ismrmrd.Meta.deserialize(images[0].attribute_string)
    assert meta["DataRole"] == "Image"
    assert images[0].field_of_view[0] == 220.0


def test_a_foreign_client_brings_a_chain_as_text_and_a_waveform(served, phantom, expected):
    text = '[[chain]]\ngadget = "remove_oversampling"\n[[chain]]\ngadget = "accumulate"\n'
    text += '[[chain]]\ngadget = "reconstruct_fourier"\n[[chain]]\ngadget = "combine_coils"\n'
    text += '[[chain]]\ngadget = "make_images"\n'
    header, acquisitions = phantom
    waveform = ismrmrd.Waveform.from_array(np.arange(8, dtype=np.uint32).reshape(2, 4))
    with Foreign(served.mrd_address) as client:
        client.send(ConfigText(text), header, waveform, *acquisitions)
        items = client.finish()
    (image,) = [item for item in items if isinstance(item, ismrmrd.Image)]
    (returned,) = [item for item in items if isinstance(item, ismrmrd.Waveform)]
    assert relative(image, expected) < 1e-5
    assert np.array_equal(returned.data, waveform.data)  # the chain above passes by what it does not take


def test_openrecon_parameters_after_the_header_choose_chain_and_fields(served, phantom, expected):
    header, acquisitions = phantom
    parameters = {"parameters": {"config": "openrecon", "customconfig": "default", "scale_images.dtype": "int16"}}
    with Foreign(served.mrd_address) as client:
        client.send(ConfigFile("openrecon"), header, json.dumps(parameters), *acquisitions)
        (image,) = [item for item in client.finish() if isinstance(item, ismrmrd.Image)]
    assert image.data.dtype == np.int16
    slope = float(ismrmrd.Meta.deserialize(image.attribute_string)["RescaleSlope"])
    assert np.abs(slope * image.data[0] - expected).max() <= 0.51 * slope + 1e-5 * expected.max()


def test_close_instead_of_a_header_is_answered_with_close(served):
    with Foreign(served.mrd_address) as client:
        client.send(ConfigFile("default"))
        assert client.finish() == []


@pytest.mark.parametrize(
    ("items", "words"),
    [
        (lambda h, a: [ConfigFile("defualt"), h, a[0]], "ERR bad_chain: no chain is named 'defualt'; did you mean"),
        (lambda h, a: [ConfigFile("../../etc/passwd"), h, a[0]], "ERR bad_chain: no chain is named '../../etc/passwd'"),
        (lambda h, a: [ConfigFile("x" * 1023), h, a[0]], "ERR bad_chain: no chain is named 'xxx"),
        (
            lambda h, a: [ConfigText("<?xml version='1.0'?><gadgetronStreamConfiguration/>"), h, a[0]],
            "takes a chain in",
        ),
        (lambda _, a: [ConfigFile("default"), a[0]], "ERR wrong_order: message 2 is Readouts while awaiting header"),
        (lambda h, _: [ConfigFile("default"), h, h], "ERR wrong_order: message 3 is Header while streaming"),
    ],
)
def test_a_foreign_client_reads_what_it_did_wrong_and_gets_close(served, phantom, items, words):
    header, acquisitions = phantom
    with Foreign(served.mrd_address) as client:
        client.send(*items(header, acquisitions))
        received = list(ProtocolDeserializer(client.stream).deserialize())
    assert words in received[-1]


def test_an_unknown_message_id_is_told_and_ends_only_that_session(served, phantom, expected):
    header, acquisitions = phantom
    with Foreign(served.mrd_address) as good, Foreign(served.mrd_address) as bad:
        good.send(ConfigFile("default"), header, *acquisitions[:80])
        bad.send(ConfigFile("default"), header, *acquisitions[:80])
        bad.out.write(struct.pack("<H", 4711))
        bad.out.flush()
        texts = [item for item in ProtocolDeserializer(bad.stream).deserialize() if isinstance(item, str)]
        assert "message id 4711" in texts[-1]
        good.send(*acquisitions[80:])
        (image,) = [item for item in good.finish() if isinstance(item, ismrmrd.Image)]
    assert relative(image, expected) < 1e-5


def test_readouts_that_disagree_with_the_header_are_told_with_expected_and_got(served, data):
    scan = read_scan(data / "raw" / "phantom_gre_2ch.h5")
    (block, *_) = scan.messages
    wrong = Readouts(block.headers.copy(), block.samples)
    wrong.headers["idx"]["kspace_encode_step_1"][3] = 500
    with Client(served.zmq) as client, client.session(scan.header) as session:
        session.send(wrong)
        with pytest.raises(RemoteError, match="500") as caught:
            list(session)
    assert caught.value.remote_code == "bad_data"
    assert caught.value.gadget == "check_readouts"


def test_status_health_and_metrics_are_served(served, command):
    status = json.loads(command("status", served.zmq, "--json").stdout)
    assert "default" in status["chains"]
    assert status["draining"] is False
    assert served.zmq in command("status", served.zmq).stdout
    for path, words in (("/healthz", "ok"), ("/readyz", "ready"), ("/metrics", "echotrain_sessions_open")):
        with urllib.request.urlopen(served.http + path, timeout=10) as answer:
            assert words in answer.read().decode()
    with pytest.raises(urllib.error.HTTPError, match="404"):
        urllib.request.urlopen(served.http + "/other", timeout=10)


def test_sigterm_lets_a_running_session_end_then_stops(serving, data):
    scan = read_scan(data / "raw" / "phantom_gre_2ch.h5")
    blocks = list(scan.messages)
    with serving() as engine, Client(engine.zmq) as client:
        with client.session(scan.header) as session:
            session.send(blocks[0])
            engine.process.send_signal(signal.SIGTERM)
            deadline = time.monotonic() + 10
            while not any(line.get("event") == "draining" for line in engine.log) and time.monotonic() < deadline:
                time.sleep(0.02)
            for block in blocks[1:]:
                session.send(block)
            session.finish()
            assert [m for m in session if isinstance(m, Image)]
        assert engine.process.wait(10) == 0
        engine.stop(0)
    assert engine.log[-1]["event"] == "stopped"
    assert engine.log[-1]["clean"] is True


def test_a_killed_engine_leaves_a_recording_that_replays_what_had_arrived(serving, data, command, tmp_path):
    path = data / "raw" / "shepp_logan_r2_acs16_noise_8ch.h5"
    scan = read_scan(path, block_readouts=10)
    with Client.embedded() as client:
        whole = client.reconstruct(path)
    record = tmp_path / "rec"
    readout_bytes = 2 + 340 + 8 * 256 * 8
    with (
        serving("--record", str(record)) as engine,
        Client(engine.mrd, protocol="mrd") as client,
        client.session(scan.header) as session,
    ):
        arrived = 0
        for block in scan.messages:
            if arrived + len(block) > 200:
                break
            session.send(block)
            arrived += len(block)
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            stream = list(record.glob("*.mrd"))
            if stream and stream[0].stat().st_size > (arrived - 1) * readout_bytes:
                break
            time.sleep(0.02)
        time.sleep(0.2)
        engine.stop(signal.SIGKILL)
    shown = command("recordings", "show", stream[0].stem, "--record", record).stdout
    assert f"readouts on disk: {arrived}" in shown
    assert "outcome: open" in shown
    assert stream[0].stem in command("recordings", "list", "--record", record, env={"COLUMNS": "200"}).stdout
    images = tmp_path / "images.h5"
    command("recordings", "replay", stream[0].stem, "--record", record, "-o", images)
    again = read_images(images)
    complete = [image for image in again if int(image.header["repetition"]) < 2]
    for image, original in zip(complete, whole, strict=False):
        assert np.array_equal(image.pixels, original.pixels)
    assert len(again) == 3  # two whole repetitions, and the third as far as it came
    exported = tmp_path / "scan.h5"
    command("recordings", "export", stream[0].stem, exported, "--record", record)
    assert len(scan_of(exported)[1]) == arrived


def test_recorded_sessions_of_both_protocols_replay_to_the_same_images(serving, data, command, tmp_path):
    path = data / "raw" / "phantom_16ch.h5"
    record = tmp_path / "rec"
    with serving("--record", str(record)) as engine:
        received = {}
        for protocol, block in (("zmq", 7), ("mrd", 50)):
            with Client(getattr(engine, protocol), protocol=protocol) as client:
                received[protocol] = client.reconstruct(read_scan(path, block_readouts=block))
        assert engine.stop() == 0
    assert np.array_equal(received["zmq"][0].pixels, received["mrd"][0].pixels)
    recordings = sorted(record.glob("*.mrd"))
    assert len(recordings) == 2
    for number, recording in enumerate(recordings):
        about = json.loads(recording.with_suffix(".json").read_text())
        assert (about["outcome"], about["readouts"], about["images"]) == ("completed", 128, 1)
        images = tmp_path / f"{number}.h5"
        command("recordings", "replay", recording.stem, "--record", record, "-o", images)
        (image,) = read_images(images)
        assert np.array_equal(image.pixels, received["zmq"][0].pixels)
        with ProtocolDeserializer(str(recording)) as stream:
            items = list(stream.deserialize())
        assert sum(isinstance(item, ismrmrd.Acquisition) for item in items) == 128


def test_two_engines_cannot_listen_on_one_port_and_the_second_says_so(served, command):
    result = command("serve", "--mrd", served.mrd, "--zmq", "off", check=False)
    assert result.returncode == 1
    assert f"mrd {served.mrd} cannot be listened on" in result.stderr
    assert "Traceback" not in result.stderr
