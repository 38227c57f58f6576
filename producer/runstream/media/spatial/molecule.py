"""Molecules as values to log."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

from runstream.media.base import BatchableMedia, captions_of
from runstream.media.content import MediaFile
from runstream.media.packages import require
from runstream.media.spatial.model_files import content_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runstream.media.base import MediaPlace


class Molecule(BatchableMedia):
    """A molecule in three dimensions.

    Args:
        data_or_path: The path of a file (pdb, pqr, mmcif, mcif, cif, sdf, sd, gro, mol2, mmtf), or an open file.
        caption: A text below it.
        file_type: The type of an open file that has no name.

    Raises:
        ValueError: The type is unknown.
        OSError: The file cannot be read.
    """

    SUPPORTED_TYPES: ClassVar[set[str]] = {
        "pdb",
        "pqr",
        "mmcif",
        "mcif",
        "cif",
        "sdf",
        "sd",
        "gro",
        "mol2",
        "mmtf",
    }
    SUPPORTED_RDKIT_TYPES: ClassVar[set[str]] = {"mol", "sdf"}
    _log_type: ClassVar[str] = "molecule-file"

    def __init__(self, data_or_path: Any, caption: str | None = None, file_type: str | None = None) -> None:
        if not isinstance(data_or_path, str | Path) and not hasattr(data_or_path, "read"):
            kind = type(data_or_path).__name__
            raise ValueError(f"Invalid data for Molecule: expected a path or an open file, not {kind}")
        extension, content = content_of(data_or_path, self.SUPPORTED_TYPES, file_type, "Molecule")
        super().__init__(MediaFile(folder="molecule", extension=extension, content=content), caption)

    @classmethod
    def from_rdkit(
        cls,
        data_or_path: Any,
        caption: str | None = None,
        convert_to_3d_and_optimize: bool = True,  # noqa: FBT001, FBT002 - the signature of W&B
        mmff_optimize_molecule_max_iterations: int = 200,
    ) -> Self:
        """Return a molecule of RDKit: a ``Mol``, or the path of a mol or sdf file, of which the first is used.

        Raises ValueError for another file, or one that RDKit cannot read; TypeError for another object.
        """
        chem = require("rdkit.Chem", "Molecule.from_rdkit()", "rdkit")
        molecule = data_or_path
        if isinstance(data_or_path, str | Path):
            molecule = _read_by_rdkit(chem, Path(data_or_path))
        elif not isinstance(data_or_path, chem.rdchem.Mol):
            raise TypeError(f"Invalid molecule: expected a path or a Mol of RDKit, not {type(data_or_path).__name__}")
        if convert_to_3d_and_optimize:
            all_chem = require("rdkit.Chem.AllChem", "Molecule.from_rdkit()", "rdkit")
            molecule = chem.AddHs(molecule)
            all_chem.EmbedMolecule(molecule)
            all_chem.MMFFOptimizeMolecule(molecule, maxIters=mmff_optimize_molecule_max_iterations)
        return cls(io.StringIO(chem.rdmolfiles.MolToPDBBlock(molecule)), caption=caption, file_type="pdb")

    @classmethod
    def from_smiles(
        cls,
        data: str,
        caption: str | None = None,
        sanitize: bool = True,  # noqa: FBT001, FBT002 - the signature of W&B
        convert_to_3d_and_optimize: bool = True,  # noqa: FBT001, FBT002
        mmff_optimize_molecule_max_iterations: int = 200,
    ) -> Self:
        """Return the molecule of a SMILES text; raises ValueError if RDKit cannot read it."""
        chem = require("rdkit.Chem", "Molecule.from_smiles()", "rdkit")
        molecule = chem.MolFromSmiles(data, sanitize=sanitize)
        if molecule is None:
            raise ValueError(f"Invalid SMILES {data!r}: RDKit cannot read it")
        return cls.from_rdkit(molecule, caption, convert_to_3d_and_optimize, mmff_optimize_molecule_max_iterations)

    @classmethod
    def record_list(cls, items: Sequence[Molecule], place: MediaPlace) -> dict[str, Any]:
        """Return the dict that is recorded for a list of molecules; raises OSError."""
        names = [item.record(place)["path"] for item in items]
        return {"_type": "molecule", "filenames": names, "count": len(items), "captions": captions_of(items) or False}


def _read_by_rdkit(chem: Any, path: Path) -> Any:
    with path.open("rb"):  # OSError that names the file
        pass
    match path.suffix:
        case ".sdf":
            with chem.SDMolSupplier(str(path)) as supplier:
                found = next(iter(supplier), None)
        case ".mol":
            found = chem.MolFromMolFile(str(path))
        case _:
            raise ValueError(f"Invalid file {str(path)!r} for RDKit: expected the extension mol or sdf")
    if found is None:
        raise ValueError(f"Invalid file {str(path)!r}: RDKit cannot read it")
    return found
