from mua_decode.api import DecodedTrials as DecodedTrials
from mua_decode.api import Decoder as Decoder
from mua_decode.api import Reconstruction as Reconstruction
from mua_decode.api import load_run as load_run
from mua_decode.api import read_recording as read_recording
from mua_decode.api import run_command as run_command
from mua_decode.recordings import VideoSource as VideoSource
from mua_decode.recordings import read_arrays as read_arrays
from mua_decode.recordings import read_lab_sessions as read_lab_sessions
from mua_decode.recordings import read_native as read_native
from mua_decode.recordings import read_nwb as read_nwb
from mua_decode.recordings import read_tensors as read_tensors
from mua_decode.recordings import read_v1_movies as read_v1_movies
from mua_decode.recordings import read_v4_images as read_v4_images
from mua_decode.recordings import write_nwb as write_nwb
from mua_decode.recordings import write_recording as write_recording
from mua_decode.types import InputError as InputError
from mua_decode.types import Recording as Recording
from mua_decode.types import Segment as Segment
from mua_decode.types import Session as Session
from mua_decode.types import SiteTable as SiteTable
from mua_decode.types import SpikeTimes as SpikeTimes
from mua_decode.types import StimulusSet as StimulusSet

__version__: str
